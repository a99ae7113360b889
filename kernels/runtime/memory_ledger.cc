#include "kernels/runtime/memory_ledger.h"

#include <algorithm>
#include <utility>

namespace boostr {
namespace {

std::size_t index(MemoryUse use) { return static_cast<std::size_t>(use); }

thread_local MemoryUse use_of_this_thread = MemoryUse::activations;

}  // namespace

std::string_view name(MemoryUse use) {
  static constexpr std::string_view names[] = {"activations", "parameters",    "gradients",
                                               "optimizer",   "communication", "checkpoint",
                                               "offload"};
  return names[index(use)];
}

const std::shared_ptr<MemoryLedger>& MemoryLedger::of_this_thread() {
  thread_local const auto ledger = std::make_shared<MemoryLedger>();
  return ledger;
}

MemoryLedger::Count MemoryLedger::of(MemoryUse use) const {
  const std::scoped_lock lock(mutex_);
  return counts_[index(use)];
}

void MemoryLedger::reset_peaks() {
  const std::scoped_lock lock(mutex_);
  for (Count& count : counts_) count.peak = count.bytes;
}

void MemoryLedger::add(MemoryUse use, std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  Count& count = counts_[index(use)];
  count.bytes += bytes;
  count.peak = std::max(count.peak, count.bytes);
}

void MemoryLedger::subtract(MemoryUse use, std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  counts_[index(use)].bytes -= bytes;
}

CountMemoryAs::CountMemoryAs(MemoryUse use) : before_(std::exchange(use_of_this_thread, use)) {}

CountMemoryAs::~CountMemoryAs() { use_of_this_thread = before_; }

MemoryCharge::MemoryCharge(std::size_t bytes)
    : ledger_(MemoryLedger::of_this_thread()), use_(use_of_this_thread), bytes_(bytes) {
  ledger_->add(use_, bytes_);
}

MemoryCharge::~MemoryCharge() {
  if (ledger_) ledger_->subtract(use_, bytes_);
}

}  // namespace boostr
