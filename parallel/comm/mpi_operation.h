#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "parallel/comm/call.h"
#include "parallel/comm/mpi_comm.h"
#include "parallel/comm/progress.h"

namespace boostr {

/// One collective of an MpiGroup, as a chain of MPI's nonblocking collectives.
class MpiOperation final : public Operation {
 public:
  /// Runs when `*turn` reaches `sequence`, and passes the turn on when done.
  MpiOperation(std::shared_ptr<MpiComm> comm, const Call& call, std::uint64_t sequence,
               std::shared_ptr<std::uint64_t> turn);

 private:
  /// What every rank sends first: its call, and its input if that is small.
  struct Header {
    static constexpr std::size_t payload_bytes = 256;
    Signature signature;
    std::byte payload[payload_bytes];
  };
  enum class Stage : std::uint8_t { headers, exchange, sums };

  Step advance() override;
  void begin_headers();
  /// Begins the messages of the round that starts at element `first_`.
  void begin_round();
  /// Takes in what has arrived and begins what follows; true if nothing does.
  bool arrived();
  bool headers_arrived();
  void reduce_and_pass_on();
  void store_round();

  int size() const { return comm_->size(); }
  std::int64_t width() const { return static_cast<std::int64_t>(call_.element_bytes()); }
  /// Elements of each piece in this round.
  std::int64_t count() const;
  /// all_reduce: elements that each rank adds up in this round; the last rank's are padded.
  std::int64_t share() const { return (count() + size() - 1) / size(); }
  std::vector<const std::byte*> received_parts(std::int64_t elements) const;

  std::shared_ptr<MpiComm> comm_;
  Call call_;
  std::uint64_t sequence_;
  std::shared_ptr<std::uint64_t> turn_;

  Stage stage_ = Stage::headers;
  std::optional<MpiRequest> request_;
  std::vector<Header> headers_;
  std::int64_t round_elements_ = 0;
  std::int64_t first_ = 0;
  std::vector<std::byte> sent_;
  std::vector<std::byte> received_;
};

}  // namespace boostr
