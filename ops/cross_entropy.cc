#include "ops/cross_entropy.h"

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/elementwise.h"

namespace boostr {
namespace {

/// The losses of the rows; writes softmax - one_hot into `dlogits` if it is defined.
Tensor row_losses(const Tensor& logits, const Tensor& targets, const Tensor& dlogits) {
  const Tensor losses =
      Tensor::empty({logits.shape().rows()}, accumulator_of(logits.dtype()), logits.device());
  kernels(logits.device())
      .cross_entropy(current_stream(logits.device()), losses.out(),
                     dlogits.defined() ? dlogits.out() : Out{}, logits.in(), targets.in());
  return losses;
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets, double scale) {
  expect_float("cross_entropy", "logits", logits);
  expect_dtype("cross_entropy", "targets", targets, DType::i32);
  expect(targets.numel() == logits.shape().rows(), "cross_entropy: targets has shape ",
         targets.shape(), ", which is not one for each row of logits of shape ", logits.shape());
  const Tensor loss = sum_in_f64(row_losses(logits, targets, {}), scale);
  const auto grad_logits = [=](const Tensor& dy) {
    const Tensor dlogits = Tensor::empty(logits.shape(), logits.dtype(), logits.device());
    row_losses(logits, targets, dlogits);
    scale_into(dlogits, dlogits, scale * dy.item());
    return dlogits;
  };
  return record("cross_entropy", loss, {{logits, grad_logits}}, Side::data, {targets});
}

}  // namespace boostr
