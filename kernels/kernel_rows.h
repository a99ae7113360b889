#pragma once

#include <string_view>

#include "kernels/kernel_table.h"

namespace boostr {

/// One row of the KernelTable as a type, for what is written once for all kernels.
template <auto member>
struct KernelRow {};

/// Calls visit(name, KernelRow) for every row; that none is missing is checked where the list is
/// used (kernels/profiler.cc).
constexpr void for_each_row(auto&& visit) {
  visit("gemm", KernelRow<&KernelTable::gemm>{});
  visit("embedding", KernelRow<&KernelTable::embedding>{});
  visit("embedding_grad", KernelRow<&KernelTable::embedding_grad>{});
  visit("rms_norm", KernelRow<&KernelTable::rms_norm>{});
  visit("rms_norm_grad_x", KernelRow<&KernelTable::rms_norm_grad_x>{});
  visit("rms_norm_grad_weight", KernelRow<&KernelTable::rms_norm_grad_weight>{});
  visit("layer_norm", KernelRow<&KernelTable::layer_norm>{});
  visit("layer_norm_grad_x", KernelRow<&KernelTable::layer_norm_grad_x>{});
  visit("layer_norm_grad_weight", KernelRow<&KernelTable::layer_norm_grad_weight>{});
  visit("rope", KernelRow<&KernelTable::rope>{});
  visit("attention", KernelRow<&KernelTable::attention>{});
  visit("attention_grad", KernelRow<&KernelTable::attention_grad>{});
  visit("activation", KernelRow<&KernelTable::activation>{});
  visit("activation_grad", KernelRow<&KernelTable::activation_grad>{});
  visit("gated_activation", KernelRow<&KernelTable::gated_activation>{});
  visit("gated_activation_grad", KernelRow<&KernelTable::gated_activation_grad>{});
  visit("softmax", KernelRow<&KernelTable::softmax>{});
  visit("softmax_grad", KernelRow<&KernelTable::softmax_grad>{});
  visit("cross_entropy", KernelRow<&KernelTable::cross_entropy>{});
  visit("cross_entropy_statistics", KernelRow<&KernelTable::cross_entropy_statistics>{});
  visit("cross_entropy_from_statistics", KernelRow<&KernelTable::cross_entropy_from_statistics>{});
  visit("add", KernelRow<&KernelTable::add>{});
  visit("mul", KernelRow<&KernelTable::mul>{});
  visit("scale", KernelRow<&KernelTable::scale>{});
  visit("axpy", KernelRow<&KernelTable::axpy>{});
  visit("fill", KernelRow<&KernelTable::fill>{});
  visit("cast", KernelRow<&KernelTable::cast>{});
  visit("reduce", KernelRow<&KernelTable::reduce>{});
  visit("reduce_rows", KernelRow<&KernelTable::reduce_rows>{});
  visit("sum_rows", KernelRow<&KernelTable::sum_rows>{});
  visit("sum_squares", KernelRow<&KernelTable::sum_squares>{});
  visit("all_finite", KernelRow<&KernelTable::all_finite>{});
  visit("random_normal", KernelRow<&KernelTable::random_normal>{});
  visit("random_uniform", KernelRow<&KernelTable::random_uniform>{});
  visit("dropout", KernelRow<&KernelTable::dropout>{});
  visit("adamw", KernelRow<&KernelTable::adamw>{});
  visit("lamb_moments", KernelRow<&KernelTable::lamb_moments>{});
  visit("lamb_apply", KernelRow<&KernelTable::lamb_apply>{});
  visit("sgd", KernelRow<&KernelTable::sgd>{});
  visit("peak_probe", KernelRow<&KernelTable::peak_probe>{});
}

}  // namespace boostr
