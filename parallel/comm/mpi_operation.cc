#include "parallel/comm/mpi_operation.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "parallel/comm/exchange.h"
#include "parallel/comm/reduce.h"

namespace boostr {
namespace {

/// What one round receives at most.
constexpr std::int64_t round_bytes = 8 << 20;

}  // namespace

MpiOperation::MpiOperation(std::shared_ptr<MpiComm> comm, const Call& call, std::uint64_t sequence,
                           std::shared_ptr<std::uint64_t> turn)
    : comm_(std::move(comm)), call_(call), sequence_(sequence), turn_(std::move(turn)) {
  const bool whole =
      call.signature.kind == CallKind::all_reduce || call.signature.kind == CallKind::broadcast;
  round_elements_ = std::max<std::int64_t>(1, round_bytes / width() / (whole ? 1 : size()));
}

Step MpiOperation::advance() {
  if (*turn_ != sequence_) return Step::waiting;
  bool moved = false;
  if (!request_) begin_headers();
  while (request_->test()) {
    moved = true;
    if (arrived()) {
      ++*turn_;
      return Step::done;
    }
  }
  return moved ? Step::moved : Step::waiting;
}

void MpiOperation::begin_headers() {
  headers_.resize(static_cast<std::size_t>(size()) + 1);  // all ranks', then what this one sends
  Header& mine = headers_.back();
  mine.signature = call_.signature;
  const std::size_t bytes = call_.input_bytes(size());
  if (bytes > 0 && bytes <= Header::payload_bytes) std::memcpy(mine.payload, call_.input, bytes);
  request_ = comm_->all_gather(headers_.data(), &mine, sizeof(Header));
}

bool MpiOperation::arrived() {
  switch (stage_) {
    case Stage::headers:
      if (headers_arrived()) return true;
      stage_ = Stage::exchange;
      break;
    case Stage::exchange:
      if (call_.signature.kind == CallKind::all_reduce) {
        reduce_and_pass_on();
        stage_ = Stage::sums;
        return false;
      }
      store_round();
      first_ += count();
      break;
    case Stage::sums:
      std::memcpy(call_.output + first_ * width(), received_.data(),
                  static_cast<std::size_t>(count() * width()));
      first_ += count();
      stage_ = Stage::exchange;
      break;
  }
  if (first_ == call_.signature.numel) return true;
  begin_round();
  return false;
}

bool MpiOperation::headers_arrived() {
  std::vector<const std::byte*> payloads;
  for (int rank = 0; rank < size(); ++rank) {
    const Header& theirs = headers_[static_cast<std::size_t>(rank)];
    check_same(call_.signature, comm_->rank(), theirs.signature, rank, sequence_);
    payloads.push_back(theirs.payload);
  }
  if (call_.input_bytes(size()) > Header::payload_bytes) return false;
  const std::int64_t numel = call_.signature.numel;
  finish_slice(call_, comm_->rank(),
               {.inputs = payloads, .stride = numel, .first = 0, .count = numel});
  return true;
}

void MpiOperation::begin_round() {
  const auto bytes = static_cast<std::size_t>(count() * width());
  switch (call_.signature.kind) {
    case CallKind::broadcast:
      request_ = comm_->broadcast(call_.output + first_ * width(), bytes, call_.signature.peer);
      return;
    case CallKind::all_reduce: {
      const auto share_bytes = static_cast<std::size_t>(share() * width());
      sent_.resize(share_bytes * static_cast<std::size_t>(size()));
      received_.resize(sent_.size());
      std::memcpy(sent_.data(), call_.input + first_ * width(), bytes);
      request_ = comm_->all_to_all(received_.data(), sent_.data(), share_bytes);
      return;
    }
    case CallKind::reduce_scatter:
    case CallKind::all_to_all:
      sent_.resize(bytes * static_cast<std::size_t>(size()));
      received_.resize(sent_.size());
      pack_slice(call_, size(), sent_.data(), count(), first_, count());
      request_ = comm_->all_to_all(received_.data(), sent_.data(), bytes);
      return;
    default:
      received_.resize(bytes * static_cast<std::size_t>(size()));
      request_ = comm_->all_gather(received_.data(), call_.input + first_ * width(), bytes);
  }
}

void MpiOperation::reduce_and_pass_on() {
  sent_.resize(static_cast<std::size_t>(share() * width()));
  std::byte* sums = sent_.data();
  reduce_in_order({&sums, 1}, received_parts(share()), call_.signature.dtype, share(),
                  call_.signature.reduce);
  request_ = comm_->all_gather(received_.data(), sent_.data(), sent_.size());
}

void MpiOperation::store_round() {
  if (call_.signature.kind == CallKind::broadcast) return;
  // Of each rank's pieces only this rank's has arrived: they lie at no distance from each other.
  finish_slice(call_, comm_->rank(),
               {.inputs = received_parts(count()), .stride = 0, .first = first_, .count = count()});
}

std::int64_t MpiOperation::count() const {
  return std::min(round_elements_, call_.signature.numel - first_);
}

std::vector<const std::byte*> MpiOperation::received_parts(std::int64_t elements) const {
  std::vector<const std::byte*> parts;
  for (int rank = 0; rank < size(); ++rank) {
    parts.push_back(received_.data() + rank * elements * width());
  }
  return parts;
}

}  // namespace boostr
