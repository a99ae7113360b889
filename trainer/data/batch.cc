#include "trainer/data/batch.h"

#include <algorithm>

#include "kernels/runtime/error.h"

namespace boostr {

Batch Batch::rows(std::int64_t first, std::int64_t count) const {
  expect(first >= 0 && count >= 0 && first <= batch - count, "rows [", first, ", +", count,
         ") of a batch of ", batch);
  const auto cut = [&](const std::vector<std::int32_t>& all) {
    if (all.empty()) return std::vector<std::int32_t>();
    const auto begin = all.begin() + first * seq_len;
    return std::vector<std::int32_t>(begin, begin + count * seq_len);
  };
  Batch part{count, seq_len, cut(input_ids), cut(targets), cut(documents), 0};
  part.num_targets =
      count * seq_len - std::count(part.targets.begin(), part.targets.end(), ignored_target);
  return part;
}

}  // namespace boostr
