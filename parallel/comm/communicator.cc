#include "parallel/comm/communicator.h"

#include <exception>
#include <utility>

namespace boostr {

std::string_view name(ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      return "sum";
    case ReduceOp::max:
      return "max";
    case ReduceOp::min:
      return "min";
  }
  return "?";
}

Work::Work(std::unique_ptr<Pending> pending) : pending_(std::move(pending)) {}

Work& Work::operator=(Work&& other) noexcept {
  Work finished(std::move(*this));
  pending_ = std::move(other.pending_);
  return *this;
}

Work::~Work() {
  try {
    wait();
  } catch (const std::exception&) {
    // A destructor cannot throw; the communicator remembers the failure and throws it at the next
    // call.
  }
}

void Work::wait() {
  if (const std::unique_ptr<Pending> pending = std::move(pending_)) pending->wait();
}

}  // namespace boostr
