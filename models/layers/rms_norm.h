#pragma once

#include "models/model.h"
#include "ops/rms_norm.h"

namespace boostr {

/// RMSNorm over the last dimension with a learned weight.
class RmsNorm {
 public:
  RmsNorm(std::int64_t size, DType dtype, double eps) : weight_({size}, dtype, {1, 0}), eps_(eps) {}

  Tensor operator()(const Tensor& x) const { return rms_norm(x, weight_, eps_); }

  void visit(const std::string& name, const ParameterVisitor& visitor) {
    visitor(name + ".weight", weight_);
  }

 private:
  Parameter weight_;
  double eps_;
};

}  // namespace boostr
