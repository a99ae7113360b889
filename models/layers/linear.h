#pragma once

#include "models/model.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "parallel/tensor_parallel.h"

namespace boostr {

/// What a linear layer is besides how it is cut.
struct LinearOptions {
  bool bias = false;
  DType dtype = DType::f32;
  double init_std = 0.02;
};

/// The parameters of a linear layer.
class LinearParameters {
 public:
  void visit(const std::string& name, const ParameterVisitor& visitor) {
    visitor(name + ".weight", weight_);
    if (bias_.defined()) visitor(name + ".bias", bias_);
  }

 protected:
  Parameter weight_, bias_;  ///< no bias: undefined
};

/// y[..., out / ranks] = x[..., in] weight^T (+ bias): each rank has some of the outputs. weight
/// [out, in] as in Hugging Face checkpoints, cut along its first dimension.
class ColumnParallelLinear : public LinearParameters {
 public:
  /// Cut evenly over the ranks, or in `pieces` where those are fewer: ranks then hold copies.
  ColumnParallelLinear(std::int64_t in, std::int64_t out, const LinearOptions& options,
                       TensorParallel& tp, int pieces);
  ColumnParallelLinear(std::int64_t in, std::int64_t out, const LinearOptions& options,
                       TensorParallel& tp)
      : ColumnParallelLinear(in, out, options, tp, tp.size()) {}

  Tensor operator()(const Tensor& x) const;

 private:
  const TensorParallel& tp_;
  int pieces_;
};

/// y = sum over ranks of x[..., in / ranks] weight^T (+ bias), in the residual stream: each rank
/// has some of the inputs. The weight is cut along its second dimension, the bias is whole.
class RowParallelLinear : public LinearParameters {
 public:
  RowParallelLinear(std::int64_t in, std::int64_t out, const LinearOptions& options,
                    const TensorParallel& tp);

  Tensor operator()(const Tensor& x) const;

 private:
  const TensorParallel& tp_;
};

}  // namespace boostr
