#include "ops/linear_cross_entropy.h"

#include <algorithm>

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"
#include "ops/elementwise.h"

// T tokens, K hidden size, V vocabulary.
namespace boostr {
namespace {

/// The sum of the losses over chunks of tokens, and its gradients where they are asked for.
class Sweep {
 public:
  /// x [T, K], weight [V, K], targets [T].
  Sweep(const Tensor& x, const Tensor& weight, const Tensor& targets, const VocabularyPart& part)
      : x_(x), weight_(weight), targets_(targets), part_(part) {}

  void want_grad_x() { dx_ = empty(x_.shape(), x_.dtype()); }
  void want_grad_weight() { dweight_ = empty(weight_.shape(), accumulator_of(weight_.dtype())); }

  /// Holds at most `logits_bytes` of logits, or those of one token.
  void run(std::size_t logits_bytes) {
    const DType acc = accumulator_of(x_.dtype());
    const std::int64_t chunk = tokens_in(logits_bytes, size_of(acc));
    losses_ = empty({tokens()}, acc);
    const Tensor logits = empty({chunk, weight_.shape()[0]}, acc);
    // In place of the logits, in the type of x: GEMM takes factors of one type.
    const Tensor dlogits = Tensor::over({logits.out().data, x_.dtype(), logits.shape()});
    const bool gradients = dx_.defined() || dweight_.defined();
    if (part_.combine) statistics_ = empty({chunk, 3}, acc);
    for (std::int64_t begin = 0; begin < tokens(); begin += chunk) {
      const std::int64_t count = std::min(chunk, tokens() - begin);
      gemm(logits.rows(0, count), x_.rows(begin, count), weight_, {.transpose_b = true});
      if (part_.combine) combine_statistics(logits.rows(0, count), begin);
      if (gradients) {
        take_losses_and_gradients(logits, dlogits, begin, count);
        add_gradients(dlogits.rows(0, count), begin);
      } else {
        cross_entropy({}, logits.rows(0, count), begin, 0);
      }
    }
  }

  const Tensor& losses() const { return losses_; }
  const Tensor& dx() const { return dx_; }
  const Tensor& dweight() const { return dweight_; }

 private:
  std::int64_t tokens() const { return x_.shape()[0]; }
  /// How many tokens' logits fit, at least one, at most all.
  std::int64_t tokens_in(std::size_t bytes, std::size_t logit_bytes) const {
    const std::size_t row_bytes = static_cast<std::size_t>(weight_.shape()[0]) * logit_bytes;
    return std::clamp<std::int64_t>(
        static_cast<std::int64_t>(bytes / std::max<std::size_t>(row_bytes, 1)), 1, tokens());
  }

  Tensor empty(const Shape& shape, DType dtype) const {
    return Tensor::empty(shape, dtype, x_.device());
  }

  static void gemm(const Tensor& c, const Tensor& a, const Tensor& b, GemmOptions options) {
    kernels(c.device()).gemm(current_stream(c.device()), c.out(), a.in(), b.in(), {}, options);
  }

  void combine_statistics(const Tensor& logits, std::int64_t begin) {
    const std::int64_t count = logits.shape()[0];
    const Tensor statistics = statistics_.rows(0, count);
    kernels(logits.device())
        .cross_entropy_statistics(current_stream(logits.device()), statistics.out(), logits.in(),
                                  targets_.rows(begin, count).in(), part_.first_class);
    part_.combine(statistics);
  }

  /// Of some tokens of the chunk that begins at `begin`, from its token `first` on.
  void cross_entropy(const Out& dlogits, const Tensor& logits, std::int64_t begin,
                     std::int64_t first) {
    const std::int64_t rows = logits.shape()[0];
    const Out losses = losses_.rows(begin + first, rows).out();
    const In targets = targets_.rows(begin + first, rows).in();
    const KernelTable& table = kernels(logits.device());
    Stream& stream = current_stream(logits.device());
    if (part_.combine)
      table.cross_entropy_from_statistics(stream, losses, dlogits, logits.in(), targets,
                                          statistics_.rows(first, rows).in(), part_.first_class);
    else
      table.cross_entropy(stream, losses, dlogits, logits.in(), targets);
  }

  /// Of the tokens from `begin`, whose logits are the first `count` rows. Where a gradient is half
  /// as wide as a logit, row t goes where row t / 2 was: the rows [n, 2 n) can be done together
  /// once [0, n) are.
  void take_losses_and_gradients(const Tensor& logits, const Tensor& dlogits, std::int64_t begin,
                                 std::int64_t count) {
    const bool narrower = dlogits.dtype() != logits.dtype();
    for (std::int64_t first = 0, rows = count; first < count; first += rows) {
      if (narrower) rows = std::min(std::max<std::int64_t>(first, 1), count - first);
      cross_entropy(dlogits.rows(first, rows).out(), logits.rows(first, rows), begin, first);
    }
  }

  /// Of the tokens from `begin`.
  void add_gradients(const Tensor& dlogits, std::int64_t begin) {
    const std::int64_t count = dlogits.shape()[0];
    if (dx_.defined()) gemm(dx_.rows(begin, count), dlogits, weight_, {});
    if (dweight_.defined())
      gemm(dweight_, dlogits, x_.rows(begin, count),
           {.transpose_a = true, .accumulate = begin > 0});
  }

  Tensor x_, weight_, targets_;
  VocabularyPart part_;
  Tensor statistics_;  // [tokens of a chunk, 3]
  Tensor losses_;      // [T]
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
                            double scale, const VocabularyPart& part, std::size_t logits_bytes) {
  check(x, weight, targets);
  const std::int64_t tokens = x.shape().rows();
  Sweep sweep(x.view({tokens, x.shape().back()}), weight.detach(), targets.view({tokens}), part);
  if (needs_grad({x})) sweep.want_grad_x();
  if (needs_grad({weight})) sweep.want_grad_weight();
  sweep.run(logits_bytes);
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
