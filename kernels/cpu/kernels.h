#pragma once

#include "kernels/kernel_table.h"

/// Declarations of the CPU kernels of one instruction-set level; their contracts are in
/// kernel_table.h.
namespace boostr::cpu::BOOSTR_ISA {

GemmFn gemm;
EmbeddingFn embedding;
EmbeddingGradFn embedding_grad;
RmsNormFn rms_norm;
RmsNormGradXFn rms_norm_grad_x;
RmsNormGradWeightFn rms_norm_grad_weight;
LayerNormFn layer_norm;
LayerNormGradXFn layer_norm_grad_x;
LayerNormGradWeightFn layer_norm_grad_weight;
RopeFn rope;
AttentionFn attention;
AttentionGradFn attention_grad;
ActivationFn activation;
ActivationGradFn activation_grad;
GatedActivationFn gated_activation;
GatedActivationGradFn gated_activation_grad;
SoftmaxFn softmax;
SoftmaxGradFn softmax_grad;
CrossEntropyFn cross_entropy;
CrossEntropyStatisticsFn cross_entropy_statistics;
CrossEntropyFromStatisticsFn cross_entropy_from_statistics;
AddFn add;
MulFn mul;
ScaleFn scale;
AxpyFn axpy;
FillFn fill;
CastFn cast;
ReduceFn reduce;
ReduceRowsFn reduce_rows;
SumRowsFn sum_rows;
SumSquaresFn sum_squares;
AllFiniteFn all_finite;
RandomNormalFn random_normal;
RandomUniformFn random_uniform;
DropoutFn dropout;
AdamWFn adamw;
LambMomentsFn lamb_moments;
LambApplyFn lamb_apply;
SgdFn sgd;
PeakProbeFn peak_probe;

}  // namespace boostr::cpu::BOOSTR_ISA
