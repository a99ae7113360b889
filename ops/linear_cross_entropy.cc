#include "ops/linear_cross_entropy.h"

#include <algorithm>

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"
#include "ops/elementwise.h"

// T tokens, K hidden size, V vocabulary, C tokens in a chunk.
namespace boostr {
namespace {

/// The sum of the losses over chunks of tokens, and its gradients where they are asked for.
class Sweep {
 public:
  /// x [T, K], weight [V, K], targets [T].
  Sweep(const Tensor& x, const Tensor& weight, const Tensor& targets, std::size_t logits_bytes)
      : x_(x), weight_(weight), targets_(targets) {
    const DType acc = accumulator_of(x.dtype());
    const auto row_bytes = static_cast<std::size_t>(weight.shape()[0]) * size_of(acc);
    const auto chunk =
        static_cast<std::int64_t>(logits_bytes / std::max<std::size_t>(row_bytes, 1));
    chunk_ = std::clamp<std::int64_t>(chunk, 1, tokens());
    losses_ = empty({tokens()}, acc);
    logits_ = empty({chunk_, weight.shape()[0]}, acc);
  }

  void want_grad_x() { dx_ = empty(x_.shape(), x_.dtype()); }
  void want_grad_weight() { dweight_ = empty(weight_.shape(), accumulator_of(weight_.dtype())); }

  void run() {
    const bool gradients = dx_.defined() || dweight_.defined();
    // GEMM takes factors of one type: a copy of the gradient of the logits in that of x.
    if (gradients && logits_.dtype() != x_.dtype()) dlogits_ = empty(logits_.shape(), x_.dtype());
    for (std::int64_t begin = 0; begin < tokens(); begin += chunk_) {
      const std::int64_t count = std::min(chunk_, tokens() - begin);
      const Tensor logits = logits_.rows(0, count);
      gemm(logits, x_.rows(begin, count), weight_, {.transpose_b = true});
      kernels(x_.device())
          .cross_entropy(current_stream(x_.device()), losses_.rows(begin, count).out(),
                         gradients ? logits.out() : Out{}, logits.in(),
                         targets_.rows(begin, count).in());
      if (gradients) add_gradients(logits, begin, count);
    }
  }

  const Tensor& losses() const { return losses_; }
  const Tensor& dx() const { return dx_; }
  const Tensor& dweight() const { return dweight_; }

 private:
  std::int64_t tokens() const { return x_.shape()[0]; }

  Tensor empty(const Shape& shape, DType dtype) const {
    return Tensor::empty(shape, dtype, x_.device());
  }

  static void gemm(const Tensor& c, const Tensor& a, const Tensor& b, GemmOptions options) {
    kernels(c.device()).gemm(current_stream(c.device()), c.out(), a.in(), b.in(), {}, options);
  }

  void add_gradients(const Tensor& logits, std::int64_t begin, std::int64_t count) {
    Tensor dlogits = logits;
    if (dlogits_.defined()) {
      dlogits = dlogits_.rows(0, count);
      copy_into(dlogits, logits);
    }
    if (dx_.defined()) gemm(dx_.rows(begin, count), dlogits, weight_, {});
    if (dweight_.defined())
      gemm(dweight_, dlogits, x_.rows(begin, count),
           {.transpose_a = true, .accumulate = begin > 0});
  }

  Tensor x_, weight_, targets_;
  std::int64_t chunk_;
  Tensor losses_;   // [T]
  Tensor logits_;   // [C, V], then their gradient
  Tensor dlogits_;  // [C, V] in the type of x, where that differs
  Tensor dx_, dweight_;
};

void check(const Tensor& x, const Tensor& weight, const Tensor& targets) {
  constexpr auto op = "linear_cross_entropy";
  expect_float(op, "x", x);
  expect_dtype(op, "weight", weight, x.dtype());
  expect_dtype(op, "targets", targets, DType::i32);
  expect(weight.shape().num_dims() == 2 && weight.shape()[1] == x.shape().back(), op,
         ": weight has shape ", weight.shape(), ", expected [V, ", x.shape().back(),
         "] for x of shape ", x.shape());
  expect(x.numel() > 0 && targets.numel() == x.shape().rows(), op, ": targets has shape ",
         targets.shape(), ", which is not one for each row of x of shape ", x.shape());
}

}  // namespace

Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                            double scale, std::size_t logits_bytes) {
  check(x, weight, targets);
  const std::int64_t tokens = x.shape().rows();
  Sweep sweep(x.view({tokens, x.shape().back()}), weight.detach(), targets.view({tokens}),
              logits_bytes);
  if (needs_grad({x})) sweep.want_grad_x();
  if (needs_grad({weight})) sweep.want_grad_weight();
  sweep.run();
  // Unscaled gradients are of the size of the weights and of x, so none is lost in f16.
  const auto grad_x = [dx = sweep.dx(), shape = x.shape(), scale](const Tensor& dy) {
    scale_into(dx, dx, scale * dy.item());
    return dx.view(shape);
  };
  const auto grad_weight = [dweight = sweep.dweight(), scale](const Tensor& dy, const Tensor& grad,
                                                              bool accumulate) {
    if (accumulate)
      add_into(grad, dweight, scale * dy.item());
    else
      scale_into(grad, dweight, scale * dy.item());
  };
  return record("linear_cross_entropy", sum_in_f64(sweep.losses(), scale),
                {{x, grad_x}, {weight, grad_weight}}, Side::data, {targets});
}

}  // namespace boostr
