#pragma once

#include <vector>

#include "parallel/comm/communicator.h"

namespace boostr {

/// A few numbers of every rank that are being reduced while the ranks do something else.
class ReducedNumbers {
 public:
  /// Starts it. Every rank brings as many numbers.
  ReducedNumbers(Communicator& group, std::vector<double> mine, ReduceOp op = ReduceOp::sum)
      : numbers_(std::move(mine)),
        work_(group.all_reduce(
            Out{numbers_.data(), DType::f64, Shape{static_cast<std::int64_t>(numbers_.size())}},
            op)) {}
  /// What is under way keeps writing where it began to.
  ReducedNumbers(ReducedNumbers&&) noexcept = default;
  ReducedNumbers& operator=(ReducedNumbers&&) = delete;

  /// The reduced numbers, the same on every rank.
  const std::vector<double>& wait() {
    work_.wait();
    return numbers_;
  }

 private:
  std::vector<double> numbers_;
  Work work_;  // after the numbers, so that it is waited for before they go
};

}  // namespace boostr
