#pragma once

#include <compare>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "parallel/comm/call.h"
#include "parallel/comm/progress.h"

namespace boostr {

/// Messages under way between ranks of one process. A sent message is copied in, so sends are done
/// at once. Thread-safe.
class Mailbox {
 public:
  /// Messages with equal address arrive in the order they were sent.
  struct Address {
    int source = 0;
    int destination = 0;
    int tag = 0;
    friend auto operator<=>(const Address&, const Address&) = default;
  };

  void put(const Address& address, std::vector<std::byte> message);
  std::optional<std::vector<std::byte>> take(const Address& address);

 private:
  std::mutex mutex_;
  std::map<Address, std::deque<std::vector<std::byte>>> messages_;
};

/// Sends and receives of rank `rank` through a mailbox, begun on `progress`.
std::shared_ptr<Operation> mail_send(Mailbox& mailbox, int rank, const Call& call,
                                     Progress& progress);
std::shared_ptr<Operation> mail_recv(std::shared_ptr<Mailbox> mailbox, int rank, const Call& call,
                                     Progress& progress);

/// An operation with nothing left to do, begun on `progress`.
std::shared_ptr<Operation> finished_operation(Progress& progress);

}  // namespace boostr
