#include "models/layers/linear.h"

namespace boostr {

ColumnParallelLinear::ColumnParallelLinear(std::int64_t in, std::int64_t out,
                                           const LinearOptions& options, TensorParallel& tp,
                                           int pieces)
    : tp_(tp), pieces_(pieces) {
  weight_ = Parameter({out, in}, options.dtype, {0, options.init_std}, tp.shard_of(pieces));
  if (options.bias) bias_ = Parameter({out}, options.dtype, {0, 0}, tp.shard_of(pieces));
  tp.prepare_copies(pieces);
}

Tensor ColumnParallelLinear::operator()(const Tensor& x) const {
  return linear(x, tp_.among_copies(weight_, pieces_),
                bias_.defined() ? tp_.among_copies(bias_, pieces_) : Tensor());
}

RowParallelLinear::RowParallelLinear(std::int64_t in, std::int64_t out,
                                     const LinearOptions& options, const TensorParallel& tp)
    : tp_(tp) {
  weight_ = Parameter({out, in}, options.dtype, {0, options.init_std}, tp.shard(1));
  if (options.bias) bias_ = Parameter({out}, options.dtype, {0, 0}, tp.whole());
}

Tensor RowParallelLinear::operator()(const Tensor& x) const {
  const Tensor y = tp_.leave(linear(x, weight_));
  return bias_.defined() ? add_bias(y, tp_.on_stream(bias_)) : y;
}

}  // namespace boostr
