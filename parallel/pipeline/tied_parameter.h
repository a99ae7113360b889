#pragma once

#include <memory>

#include "ops/parameter.h"
#include "parallel/comm/communicator.h"
#include "parallel/zero/zero.h"

namespace boostr {

/// A parameter that two virtual stages use, each with a copy of its own: the input embedding and
/// the head of models that tie them. Both copies get the sum of both gradients, the first stage's
/// first, and so stay equal.
class TiedParameter {
 public:
  /// Where the copies are; an undefined one is not on this rank.
  struct Copies {
    Parameter first, last;
    int first_rank = 0;  ///< of the pipeline
    int last_rank = 0;
  };

  /// Collective over `group`, the ranks of the pipeline.
  TiedParameter(Communicator& group, Copies copies);

  /// Once the gradients are reduced, adds up those of what this rank owns of a copy. Collective over
  /// the ranks that have one.
  void sum_gradients(const Zero& zero) const;

 private:
  Copies copies_;
  std::unique_ptr<Communicator> pair_;  ///< both ranks, first and last; null if they are one
};

}  // namespace boostr
