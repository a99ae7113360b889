#pragma once

#include "models/model.h"
#include "ops/linear.h"

namespace boostr {

/// y[..., out] = x[..., in] weight^T (+ bias); weight [out, in] as in Hugging Face checkpoints.
class Linear {
 public:
  Linear(std::int64_t in, std::int64_t out, bool bias, DType dtype, double init_std)
      : weight_({out, in}, dtype, {0, init_std}) {
    if (bias) bias_ = Parameter({out}, dtype, {0, 0});
  }

  Tensor operator()(const Tensor& x) const {
    return linear(x, weight_, bias_.defined() ? bias_.value() : Tensor());
  }

  void visit(const std::string& name, const ParameterVisitor& visitor) {
    visitor(name + ".weight", weight_);
    if (bias_.defined()) visitor(name + ".bias", bias_);
  }

 private:
  Parameter weight_, bias_;
};

}  // namespace boostr
