#include "ops/activation.h"

#include <vector>

#include "ops/autograd.h"
#include "ops/check.h"
#include "ops/copy.h"

namespace boostr {
namespace {

Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

Tensor grad_x(const Tensor& dy, const Tensor& x, Activation kind) {
  const Tensor dx = empty_like(x);
  kernels(x.device())
      .activation_grad(current_stream(x.device()), dx.out(), converted(dy, x.dtype()).in(), x.in(),
                       kind);
  return dx;
}

std::vector<Tensor> grad_gate_up(const Tensor& dy, const Tensor& gate, const Tensor& up,
                                 Activation kind) {
  const Tensor dgate = empty_like(gate);
  const Tensor dup = empty_like(up);
  kernels(gate.device())
      .gated_activation_grad(current_stream(gate.device()), dgate.out(), dup.out(),
                             converted(dy, gate.dtype()).in(), gate.in(), up.in(), kind);
  return {dgate, dup};
}

}  // namespace

Tensor activation(const Tensor& x, Activation kind) {
  expect_float("activation", "x", x);
  const Tensor y = empty_like(x);
  kernels(x.device()).activation(current_stream(x.device()), y.out(), x.in(), kind);
  return record("activation", y, {{x, [=](const Tensor& dy) { return grad_x(dy, x, kind); }}});
}

Tensor silu(const Tensor& x) { return activation(x, Activation::silu); }

Tensor gelu(const Tensor& x) { return activation(x, Activation::gelu); }

Tensor gated_activation(const Tensor& gate, const Tensor& up, Activation kind) {
  expect_alike("gated_activation", gate, up);
  const Tensor y = empty_like(gate);
  kernels(gate.device())
      .gated_activation(current_stream(gate.device()), y.out(), gate.in(), up.in(), kind);
  const auto gradient = [=](const Tensor& dy) { return grad_gate_up(dy, gate, up, kind); };
  return record("gated_activation", y, {{{gate, up}, gradient}});
}

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  return gated_activation(gate, up, Activation::silu);
}

}  // namespace boostr
