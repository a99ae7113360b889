#include "parallel/zero/chunk_sums.h"

#include <algorithm>
#include <utility>

#include "ops/norm.h"

namespace boostr {

ChunkSums::ChunkSums(const ModelShare& share, const std::vector<FlatLayout>& layouts,
                     Communicator& group, Communicator& model_group)
    : group_(group),
      model_group_(model_group),
      num_parameters_(share.all.size()),
      runs_(layouts.empty() ? 0 : layouts[0].pieces) {
  for (const FlatLayout& layout : layouts)
    for (int piece = 0; piece < layout.pieces; ++piece)
      for (const FlatPart& part : parts_of_piece(layout, piece))
        runs_[piece].push_back({share.index_of(part.parameter), num_norm_chunks(part.numel),
                                part.parameter.shard().copy == 0});
  for (const std::vector<Run>& runs : runs_) {
    std::int64_t chunks = 0;
    for (const Run& run : runs) chunks += run.count;
    max_chunks_ = std::max(max_chunks_, chunks);
  }
}

ReducedNumbers ChunkSums::start(std::span<const double> mine, std::int64_t width) const {
  const std::int64_t piece_numel = max_chunks_ * width;
  std::vector<double> all(static_cast<std::size_t>(piece_numel) * runs_.size());
  std::vector<double> padded(mine.begin(), mine.end());
  padded.resize(static_cast<std::size_t>(piece_numel));
  if (runs_.size() == 1)
    all = padded;
  else
    group_
        .all_gather(Out{all.data(), DType::f64, Shape{static_cast<std::int64_t>(all.size())}},
                    In{padded.data(), DType::f64, Shape{piece_numel}})
        .wait();
  std::vector<double> sums(num_parameters_ * static_cast<std::size_t>(width));
  for (std::size_t rank = 0; rank < runs_.size(); ++rank) {
    const double* value = all.data() + static_cast<std::int64_t>(rank) * piece_numel;
    for (const Run& run : runs_[rank]) {
      double* const sum = sums.data() + static_cast<std::int64_t>(run.parameter) * width;
      const std::int64_t numbers = run.counts ? run.count * width : 0;
      for (std::int64_t i = 0; i < numbers; ++i) sum[i % width] += value[i];
      value += run.count * width;
    }
  }
  return ReducedNumbers(model_group_, std::move(sums));
}

}  // namespace boostr
