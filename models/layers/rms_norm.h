#pragma once

#include "models/model.h"
#include "ops/rms_norm.h"
#include "parallel/tensor_parallel.h"

namespace boostr {

/// RMSNorm over the last dimension with a learned weight that every rank holds whole.
class RmsNorm {
 public:
  /// What a rank's part of the vectors is.
  enum class Over : std::uint8_t {
    stream,  ///< the residual stream
    parts,   ///< its part of a layer, like its heads
  };

  RmsNorm(std::int64_t size, DType dtype, double eps, const TensorParallel& tp,
          Over over = Over::stream)
      : tp_(tp), over_(over), weight_({size}, dtype, {1, 0}, tp.whole()), eps_(eps) {}

  Tensor operator()(const Tensor& x) const {
    return rms_norm(x, over_ == Over::stream ? tp_.on_stream(weight_) : tp_.in_parts(weight_),
                    eps_);
  }

  void visit(const std::string& name, const ParameterVisitor& visitor) {
    visitor(name + ".weight", weight_);
  }

 private:
  const TensorParallel& tp_;
  Over over_;
  Parameter weight_;
  double eps_;
};

}  // namespace boostr
