#include "kernels/cpu/table.h"

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/level_name.h"

namespace boostr::cpu::BOOSTR_ISA {

const KernelTable& table() {
  static constexpr KernelTable rows{
      .level = level_name,
      .gemm = gemm,
      .embedding = embedding,
      .embedding_grad = embedding_grad,
      .rms_norm = rms_norm,
      .rms_norm_grad_x = rms_norm_grad_x,
      .rms_norm_grad_weight = rms_norm_grad_weight,
      .layer_norm = layer_norm,
      .layer_norm_grad_x = layer_norm_grad_x,
      .layer_norm_grad_weight = layer_norm_grad_weight,
      .rope = rope,
      .attention = attention,
      .attention_grad = attention_grad,
      .activation = activation,
      .activation_grad = activation_grad,
      .gated_activation = gated_activation,
      .gated_activation_grad = gated_activation_grad,
      .softmax = softmax,
      .softmax_grad = softmax_grad,
      .cross_entropy = cross_entropy,
      .cross_entropy_statistics = cross_entropy_statistics,
      .cross_entropy_from_statistics = cross_entropy_from_statistics,
      .add = add,
      .mul = mul,
      .scale = scale,
      .axpy = axpy,
      .fill = fill,
      .cast = cast,
      .reduce = reduce,
      .reduce_rows = reduce_rows,
      .sum_rows = sum_rows,
      .sum_squares = sum_squares,
      .all_finite = all_finite,
      .random_normal = random_normal,
      .random_uniform = random_uniform,
      .dropout = dropout,
      .adamw = adamw,
      .lamb_moments = lamb_moments,
      .lamb_apply = lamb_apply,
      .sgd = sgd,
      .peak_probe = peak_probe,
  };
  return rows;
}

}  // namespace boostr::cpu::BOOSTR_ISA
