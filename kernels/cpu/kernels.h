#pragma once

#include "kernels/kernel_table.h"

/// Declarations of the CPU kernels of one instruction-set level; their contracts are in kernel_table.h.
namespace boostr::cpu::BOOSTR_ISA {

[[gnu::weak]] GemmFn gemm;
[[gnu::weak]] EmbeddingFn embedding;
[[gnu::weak]] EmbeddingGradFn embedding_grad;
[[gnu::weak]] RmsNormFn rms_norm;
[[gnu::weak]] RmsNormGradXFn rms_norm_grad_x;
[[gnu::weak]] RmsNormGradWeightFn rms_norm_grad_weight;
[[gnu::weak]] LayerNormFn layer_norm;
[[gnu::weak]] LayerNormGradXFn layer_norm_grad_x;
[[gnu::weak]] LayerNormGradWeightFn layer_norm_grad_weight;
[[gnu::weak]] RopeFn rope;
[[gnu::weak]] AttentionFn attention;
[[gnu::weak]] AttentionGradFn attention_grad;
[[gnu::weak]] ActivationFn activation;
[[gnu::weak]] ActivationGradFn activation_grad;
[[gnu::weak]] GatedActivationFn gated_activation;
[[gnu::weak]] GatedActivationGradFn gated_activation_grad;
[[gnu::weak]] SoftmaxFn softmax;
[[gnu::weak]] SoftmaxGradFn softmax_grad;
[[gnu::weak]] CrossEntropyFn cross_entropy;
[[gnu::weak]] AddFn add;
[[gnu::weak]] MulFn mul;
[[gnu::weak]] ScaleFn scale;
[[gnu::weak]] AxpyFn axpy;
[[gnu::weak]] FillFn fill;
[[gnu::weak]] CastFn cast;
[[gnu::weak]] ReduceFn reduce;
[[gnu::weak]] ReduceRowsFn reduce_rows;
[[gnu::weak]] SumRowsFn sum_rows;
[[gnu::weak]] SumSquaresFn sum_squares;
[[gnu::weak]] AllFiniteFn all_finite;
[[gnu::weak]] DropoutFn dropout;
[[gnu::weak]] AdamWFn adamw;
[[gnu::weak]] LambMomentsFn lamb_moments;
[[gnu::weak]] LambApplyFn lamb_apply;
[[gnu::weak]] SgdFn sgd;
[[gnu::weak]] PeakProbeFn peak_probe;

}  // namespace boostr::cpu::BOOSTR_ISA
