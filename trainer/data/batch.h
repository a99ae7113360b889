#pragma once

#include <cstdint>
#include <vector>

namespace boostr {

/// A target that no loss is taken of, as in PyTorch's cross entropy.
constexpr std::int32_t ignored_target = -100;

/// Sequences to train on, row-major [batch, seq_len].
struct Batch {
  std::int64_t batch = 0;
  std::int64_t seq_len = 0;
  std::vector<std::int32_t> input_ids;
  std::vector<std::int32_t> targets;  ///< the token after each input, or ignored_target
  std::vector<std::int32_t>
      documents;  ///< with packing: document of each input, ascending from 0 per row; else empty
  std::int64_t num_targets = 0;  ///< targets that are not ignored

  /// Rows [first, first + count) as a batch of their own: a microbatch.
  Batch rows(std::int64_t first, std::int64_t count) const;
};

/// Which sequences of every global batch a data-parallel rank takes: [first, first + count).
struct RankSlice {
  std::int64_t global_batch = 1;  ///< sequences; a multiple of `ranks`
  int rank = 0;
  int ranks = 1;

  std::int64_t count() const { return global_batch / ranks; }
  std::int64_t first() const { return rank * count(); }
};

}  // namespace boostr
