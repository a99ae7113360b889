#include "ops/attention.h"

#include <vector>

#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

// B batch, S sequence, H query heads, G key/value heads, D head dimension.
namespace boostr {
namespace {

/// What the gradient needs; all but lse are the op's arguments or its output.
struct Saved {
  Tensor q, k, v, documents, out, lse;
  In documents_in() const { return documents.defined() ? documents.in() : In{}; }
};

std::vector<Tensor> grad_qkv(const Tensor& dy, const Saved& saved,
                             const AttentionOptions& options) {
  const auto& [q, k, v, documents, out, lse] = saved;
  std::vector<Tensor> grads;
  for (const Tensor& input : {q, k, v})
    grads.push_back(Tensor::empty(input.shape(), input.dtype(), input.device()));
  kernels(q.device())
      .attention_grad(current_stream(q.device()), grads[0].out(), grads[1].out(), grads[2].out(),
                      converted(dy, q.dtype()).in(),
                      {q.in(), k.in(), v.in(), saved.documents_in(), out.in(), lse.in()}, options);
  return grads;
}

void check(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& documents) {
  expect_float("attention", "q", q);
  expect_dtype("attention", "k", k, q.dtype());
  expect_dtype("attention", "v", v, q.dtype());
  expect_shape("attention", "v", v, k.shape());
  const Shape& shape = q.shape();
  expect(shape.num_dims() == 4, "attention: q has shape ", shape, ", expected [B, S, H, D]");
  expect(k.shape().num_dims() == 4 && k.shape()[2] > 0 &&
             k.shape() == Shape{shape[0], shape[1], k.shape()[2], shape[3]} &&
             shape[2] % k.shape()[2] == 0,
         "attention: k has shape ", k.shape(), ", expected [", shape[0], ", ", shape[1], ", G, ",
         shape[3], "] with G a divisor of the ", shape[2], " query heads");
  if (!documents.defined()) return;
  expect_dtype("attention", "documents", documents, DType::i32);
  expect_shape("attention", "documents", documents, {shape[0], shape[1]});
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& documents,
                 const AttentionOptions& options) {
  check(q, k, v, documents);
  const Shape& shape = q.shape();
  const Tensor y = Tensor::empty(shape, q.dtype(), q.device());
  const Tensor lse =
      Tensor::empty({shape[0], shape[2], shape[1]}, accumulator_of(q.dtype()), q.device());
  const Saved saved{q, k, v, documents, y, lse};
  kernels(q.device())
      .attention(current_stream(q.device()), y.out(), lse.out(), q.in(), k.in(), v.in(),
                 saved.documents_in(), options);
  const auto gradient = [saved, options](const Tensor& dy) { return grad_qkv(dy, saved, options); };
  return record("attention", y, {{{q, k, v}, gradient}}, Side::derived, {documents, y});
}

}  // namespace boostr
