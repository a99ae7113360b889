#include "parallel/tensor_parallel.h"

#include <algorithm>
#include <cmath>

#include "ops/autograd.h"
#include "ops/copy.h"

namespace boostr {
namespace {

Tensor summed(Communicator& group, const Tensor& x) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  copy_into(y, x);
  group.all_reduce(y.out()).wait();
  return y;
}

/// [T / size, E] of every rank -> [T, E]
Tensor gathered(Communicator& group, const Tensor& x) {
  const std::int64_t rows = x.shape().rows(), width = x.shape().back();
  const Tensor y = Tensor::empty({rows * group.size(), width}, x.dtype(), x.device());
  group.all_gather(y.out(), x.in()).wait();
  return y;
}

/// The sum of every rank's [..., E] -> [T / size, E]
Tensor scattered(Communicator& group, const Tensor& x) {
  const std::int64_t rows = x.shape().rows(), width = x.shape().back();
  require(rows % group.size() == 0, ExitCode::usage, "sequence_parallel: ", rows,
          " tokens of a microbatch cannot be cut evenly over ", group.size(), " ranks");
  const Tensor y = Tensor::empty({rows / group.size(), width}, x.dtype(), x.device());
  group.reduce_scatter(y.out(), x.in()).wait();
  return y;
}

/// x itself, whose gradients are added over the group.
Tensor with_summed_gradient(std::string_view op, Communicator& group, const Tensor& x) {
  if (group.size() == 1) return x;
  return record(op, x.detach(), {{x, [&group](const Tensor& dy) { return summed(group, dy); }}});
}

/// The statistics (max, sum of exponentials, target's logit) of all parts, by rank.
template <class A>
void combine_rows(A* result, const A* parts, std::int64_t rows, int count) {
  for (std::int64_t t = 0; t < rows; ++t) {
    const auto part = [&](int rank) { return parts + (rank * rows + t) * 3; };
    A peak = part(0)[0], sum = 0, target = 0;
    for (int rank = 1; rank < count; ++rank) peak = std::max(peak, part(rank)[0]);
    for (int rank = 0; rank < count; ++rank) {
      sum += part(rank)[1] * std::exp(part(rank)[0] - peak);
      target += part(rank)[2];
    }
    result[t * 3] = peak;
    result[t * 3 + 1] = sum;
    result[t * 3 + 2] = target;
  }
}

void combine(Communicator& group, const Tensor& statistics) {
  const std::int64_t rows = statistics.shape()[0];
  const Tensor parts = Tensor::empty({rows * group.size(), 3}, statistics.dtype());
  group.all_gather(parts.out(), statistics.in()).wait();
  dispatch_float(statistics.dtype(), [&]<class S>() {
    using A = Accumulator<S>;
    combine_rows(statistics.out().as<A>(), parts.in().as<A>(), rows, group.size());
  });
}

}  // namespace

TensorParallel::TensorParallel(Communicator& group, bool sequence_parallel)
    : group_(group), sequence_parallel_(sequence_parallel && group.size() > 1) {}

Tensor TensorParallel::enter(const Tensor& x) const {
  if (!sequence_parallel_) return with_summed_gradient("enter_tensor_parallel", group_, x);
  return record("gather_tokens", gathered(group_, x),
                {{x, [&group = group_](const Tensor& dy) { return scattered(group, dy); }}});
}

Tensor TensorParallel::leave(const Tensor& partial) const {
  if (size() == 1) return partial;
  if (!sequence_parallel_)
    return record("leave_tensor_parallel", summed(group_, partial),
                  {{partial, [](const Tensor& dy) { return dy; }}});
  const auto grad = [&group = group_, shape = partial.shape()](const Tensor& dy) {
    return gathered(group, dy).view(shape);
  };
  return record("scatter_tokens", scattered(group_, partial), {{partial, grad}});
}

Tensor TensorParallel::on_stream(const Tensor& parameter) const {
  return sequence_parallel_ ? in_parts(parameter) : parameter;
}

Tensor TensorParallel::in_parts(const Tensor& parameter) const {
  return with_summed_gradient("in_parts", group_, parameter);
}

Shard TensorParallel::shard_of(int pieces) const {
  if (pieces >= size()) return shard(0);
  const int copies = size() / pieces;
  return {0, rank() / copies, pieces, rank() % copies};
}

void TensorParallel::prepare_copies(int pieces) {
  if (pieces >= size() || copies_.contains(pieces)) return;
  copies_[pieces] = group_.split(shard_of(pieces).index, rank(), "tp copies");
}

Tensor TensorParallel::among_copies(const Tensor& parameter, int pieces) const {
  const auto group = copies_.find(pieces);
  if (group == copies_.end()) return parameter;
  return with_summed_gradient("among_copies", *group->second, parameter);
}

Shape TensorParallel::stream_shape(const Shape& whole) const {
  if (!sequence_parallel_) return whole;
  return {whole.numel() / whole.back() / size(), whole.back()};
}

VocabularyPart TensorParallel::vocabulary_part(std::int64_t classes) const {
  if (size() == 1) return {};
  return {shard_begin(classes, rank(), size()),
          [&group = group_](const Tensor& statistics) { combine(group, statistics); }};
}

}  // namespace boostr
