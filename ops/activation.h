#pragma once

#include "kernels/kernel_table.h"
#include "ops/tensor.h"

namespace boostr {

/// y = activation(x), elementwise: silu(x) = x sigmoid(x), gelu(x) = x Phi(x), or gelu's tanh
/// approximation (arXiv 1606.08415).
Tensor activation(const Tensor& x, Activation kind);
Tensor silu(const Tensor& x);
Tensor gelu(const Tensor& x);

/// y = activation(gate) * up, elementwise, in one pass (arXiv 2002.05202).
Tensor gated_activation(const Tensor& gate, const Tensor& up, Activation kind);
/// silu(gate) * up.
Tensor swiglu(const Tensor& gate, const Tensor& up);

}  // namespace boostr
