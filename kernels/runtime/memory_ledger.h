#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

namespace boostr {

/// What memory is for. `activations` is everything that a step computes on its way.
enum class MemoryUse : std::uint8_t {
  activations,
  parameters,
  gradients,
  optimizer,
  communication,
  checkpoint,
  offload  ///< in files
};
inline constexpr std::array memory_uses{
    MemoryUse::parameters,    MemoryUse::gradients,  MemoryUse::optimizer, MemoryUse::activations,
    MemoryUse::communication, MemoryUse::checkpoint, MemoryUse::offload};

/// "activations", ...
std::string_view name(MemoryUse use);

/// The bytes that one rank holds, by use. A rank is a host thread, so each host thread has a
/// ledger; what it allocates is counted there until it is freed, by whatever thread. Thread-safe.
class MemoryLedger {
 public:
  static const std::shared_ptr<MemoryLedger>& of_this_thread();

  struct Count {
    std::size_t bytes = 0;  ///< held now
    std::size_t peak = 0;   ///< the most that was held at once
  };
  Count of(MemoryUse use) const;
  /// Peaks count from what is held now.
  void reset_peaks();

 private:
  friend class MemoryCharge;
  void add(MemoryUse use, std::size_t bytes);
  void subtract(MemoryUse use, std::size_t bytes);

  mutable std::mutex mutex_;
  std::array<Count, memory_uses.size()> counts_;
};

/// While it lives, what this host thread allocates counts as `use`; before and after, as the scope
/// around it says, and outside of all scopes as activations.
class CountMemoryAs {
 public:
  explicit CountMemoryAs(MemoryUse use);
  ~CountMemoryAs();
  CountMemoryAs(const CountMemoryAs&) = delete;
  CountMemoryAs& operator=(const CountMemoryAs&) = delete;

 private:
  MemoryUse before_;
};

/// Bytes in the ledger of the host thread that made it, under the use of that moment, until it is
/// destroyed.
class MemoryCharge {
 public:
  explicit MemoryCharge(std::size_t bytes);
  ~MemoryCharge();
  MemoryCharge(MemoryCharge&&) noexcept = default;
  MemoryCharge& operator=(MemoryCharge&&) = delete;

 private:
  std::shared_ptr<MemoryLedger> ledger_;  ///< null once moved from
  MemoryUse use_;
  std::size_t bytes_;
};

}  // namespace boostr
