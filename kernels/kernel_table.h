#pragma once

#include <cstdint>
#include <span>

#include "kernels/runtime/stream.h"
#include "kernels/runtime/view.h"

/// The signature of every kernel, once. A backend is one `const KernelTable` with a row per kernel.
///
/// Rules that hold for every row:
/// - Views are row-contiguous; shapes and types were checked by the op that dispatches.
/// - Storage types are f32, bf16, f16, f64; arithmetic is f32 (f64 for f64). "acc" below is that
/// type.
/// - Tables (cos, sin), statistics (rstd, lse, loss) and every gradient of a weight are of type
/// acc.
/// - `accumulate` adds to what the output holds; otherwise it is overwritten.
/// - Results do not depend on the number of threads. Kernels never allocate but through
/// Stream::scratch. Legend: T tokens (rows), B batch, S sequence, H query heads, G key/value heads,
/// D head dimension, V vocabulary, M N K matrix sizes.
namespace boostr {

struct GemmOptions {
  bool transpose_a = false;  ///< a is stored [..., K, M]
  bool transpose_b = false;  ///< b is stored [..., N, K]
  bool accumulate = false;   ///< c += instead of c =
};
/// c[..., M, N] = op(a)[..., M, K] op(b)[..., K, N] + bias[N]. a and b share a type; c has it or
/// acc. Leading dimensions are a batch, equal in a, b and c. `bias` (type of a) may be empty.
using GemmFn = void(Stream&, Out c, In a, In b, In bias, GemmOptions);

/// y[t, :] = table[ids[t] - first_row, :], zero where the row is not in the table (a vocabulary
/// shard).
using EmbeddingFn = void(Stream&, Out y, In table, In ids, std::int64_t first_row);
/// dtable[ids[t] - first_row, :] += dy[t, :] (dtable is zeroed first unless `accumulate`).
using EmbeddingGradFn = void(Stream&, Out dtable, In dy, In ids, std::int64_t first_row,
                             bool accumulate);

/// rstd = 1 / sqrt(mean(x^2) + eps); y = x * rstd * weight, row by row (arXiv 1910.07467).
using RmsNormFn = void(Stream&, Out y, Out rstd, In x, In weight, double eps);
using RmsNormGradXFn = void(Stream&, Out dx, In dy, In x, In weight, In rstd);
using RmsNormGradWeightFn = void(Stream&, Out dweight, In dy, In x, In rstd, bool accumulate);

/// y = (x - mean) * rstd * weight + bias, row by row (arXiv 1607.06450). `bias` may be empty.
using LayerNormFn = void(Stream&, Out y, Out mean, Out rstd, In x, In weight, In bias, double eps);
using LayerNormGradXFn = void(Stream&, Out dx, In dy, In x, In weight, In mean, In rstd);
using LayerNormGradWeightFn = void(Stream&, Out dweight, In dy, In x, In mean, In rstd,
                                   bool accumulate);

struct RopeOptions {
  bool interleaved = false;         ///< pairs (2i, 2i+1); otherwise split-half pairs (i, i + R/2)
  bool inverse = false;             ///< rotates by the negative angle: the gradient
  std::int64_t first_position = 0;  ///< row of the tables that sequence index 0 uses
};
/// Rotary embedding (arXiv 2104.09864) of x[B, S, H, D] by tables cos, sin [positions, R/2] of type
/// acc, R <= D; the dimensions past R pass through. y may be x.
using RopeFn = void(Stream&, Out y, In x, In cos, In sin, RopeOptions);

struct AttentionOptions {
  double scale = 1.0;       ///< multiplies q k^T
  bool causal = true;       ///< key j visible to query i if j <= i
  std::int64_t window = 0;  ///< > 0: also j > i - window
};
/// Flash attention (arXiv 2307.08691): out = softmax(scale q k^T + mask) v and lse[B, H, S] (type
/// acc), the log-sum-exp of each row; q, out [B, S, H, D]; k, v [B, S, G, D], H a multiple of G.
/// `documents` (i32 [B, S], non-decreasing along S, may be empty) hides keys of other documents.
/// Memory O(S).
using AttentionFn = void(Stream&, Out out, Out lse, In q, In k, In v, In documents,
                         AttentionOptions);
struct AttentionSaved {
  In q, k, v, documents, out, lse;
};
/// Gradients by recomputing the probabilities tile by tile from lse.
using AttentionGradFn = void(Stream&, Out dq, Out dk, Out dv, In dout, const AttentionSaved&,
                             AttentionOptions);

/// silu(x) = x sigmoid(x); gelu = x Phi(x) (erf); gelu_tanh its tanh approximation (arXiv
/// 1606.08415).
enum class Activation : std::uint8_t { silu, gelu, gelu_tanh };
using ActivationFn = void(Stream&, Out y, In x, Activation);
using ActivationGradFn = void(Stream&, Out dx, In dy, In x, Activation);
/// y = activation(gate) * up (arXiv 2002.05202; with silu: SwiGLU).
using GatedActivationFn = void(Stream&, Out y, In gate, In up, Activation);
using GatedActivationGradFn = void(Stream&, Out dgate, Out dup, In dy, In gate, In up, Activation);

/// y = softmax(x) along the last dimension.
using SoftmaxFn = void(Stream&, Out y, In x);
/// dx = y * (dy - sum(y * dy)), row by row.
using SoftmaxGradFn = void(Stream&, Out dx, In dy, In y);

/// loss[t] = lse(logits[t, :]) - logits[t, targets[t]], 0 where targets[t] < 0 (ignored).
/// `dlogits`, unless empty, gets softmax - one_hot (0 for ignored rows) and may be `logits` itself.
/// targets i32.
using CrossEntropyFn = void(Stream&, Out loss, Out dlogits, In logits, In targets);
/// The same where a row's classes lie on several ranks, in two steps. Of the classes first_class,
/// first_class + 1, ...: statistics[t, :] = {max_c logits[t, c], sum_c exp(logits[t, c] - max),
/// logits[t, targets[t]] or 0 if that is not among them}, acc.
using CrossEntropyStatisticsFn = void(Stream&, Out statistics, In logits, In targets,
                                      std::int64_t first_class);
/// The loss from the statistics of all classes, and the gradient of these.
using CrossEntropyFromStatisticsFn = void(Stream&, Out loss, Out dlogits, In logits, In targets,
                                          In statistics, std::int64_t first_class);

/// y = a + b; y may be a or b. A b of one dimension is added to every row of a.
using AddFn = void(Stream&, Out y, In a, In b);
/// y = a * b.
using MulFn = void(Stream&, Out y, In a, In b);
/// y = factor * x; y may be x and may have another float type.
using ScaleFn = void(Stream&, Out y, In x, double factor);
/// y += factor * x; types may differ.
using AxpyFn = void(Stream&, Out y, In x, double factor);
/// y = value, any type.
using FillFn = void(Stream&, Out y, double value);
/// y = x converted to y's type (between float types, or the same type).
using CastFn = void(Stream&, Out y, In x);

enum class Reduction : std::uint8_t { sum, max };
/// y (one element, acc or f64: then sums are added in f64) = reduction of all of x, in a fixed
/// order.
using ReduceFn = void(Stream&, Out y, In x, Reduction);
/// y[row] (acc) = reduction along the last dimension.
using ReduceRowsFn = void(Stream&, Out y, In x, Reduction);
/// y[N] (acc) = sum over the rows of x[..., N]; the gradient of a bias.
using SumRowsFn = void(Stream&, Out y, In x, bool accumulate);

/// Elements per partial sum of `sum_squares`: slices cut at multiples of it sum to the same bits.
inline constexpr std::int64_t norm_chunk = 4096;
constexpr std::int64_t num_norm_chunks(std::int64_t numel) {
  return (numel + norm_chunk - 1) / norm_chunk;
}
/// partials[i] (f64) = factor^2 * sum of squares of x[i * norm_chunk, (i + 1) * norm_chunk).
using SumSquaresFn = void(Stream&, Out partials, In x, double factor);
/// flag (i32, one element) = 1 if every element of x is finite, else 0.
using AllFiniteFn = void(Stream&, Out flag, In x);

/// Names one random sequence: Philox4x32-10 (Salmon et al. 2011) with key (seed, stream). Element i
/// is a function of (seed, stream, i) alone, computed alike on every instruction set, so no layout
/// changes it.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};
/// Global index of element (row r, column c) of a view: first + r * row_stride + c; row_stride 0
/// means the view's own width (contiguous).
struct GlobalIndex {
  std::int64_t first = 0;
  std::int64_t row_stride = 0;
};
/// y ~ N(mean, std^2).
using RandomNormalFn = void(Stream&, Out y, RandomKey, GlobalIndex, double mean, double std);
/// y ~ U[low, high).
using RandomUniformFn = void(Stream&, Out y, RandomKey, GlobalIndex, double low, double high);
/// y = x / (1 - p) where the element's uniform number is >= p, else 0. The gradient is the same
/// call on dy.
using DropoutFn = void(Stream&, Out y, In x, RandomKey, GlobalIndex, double p);

/// One tensor (or owned slice) of an optimizer step. `master` and the moments are of type acc;
/// `grad` too; `param`, unless empty, gets the updated master in the compute type in the same pass.
/// 1-D views.
struct OptimizerSlice {
  Out master, exp_avg, exp_avg_sq, param;  ///< SGD keeps its momentum in exp_avg
  In grad;
  double lr = 0, weight_decay = 0;
  /// Where set, the update reads the state there and leaves it as it is: all of it or none. Not for
  /// LAMB.
  In old_master = {}, old_exp_avg = {}, old_exp_avg_sq = {};
};
struct AdamWStep {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double grad_factor = 1;  ///< multiplies every gradient first: clipping times unscaling
  std::int64_t step = 1;   ///< counts from 1, for the bias correction
};
/// AdamW (arXiv 1711.05101), as PyTorch computes it: p -= lr wd p; p -= lr mhat / (sqrt(vhat) +
/// eps).
using AdamWFn = void(Stream&, std::span<const OptimizerSlice>, const AdamWStep&);
/// LAMB (arXiv 1904.00962), first pass: moments, and norms[2 c] = ||p||^2, norms[2 c + 1] = ||u||^2
/// of every chunk c of norm_chunk elements of the slices, one slice after the other, f64, where u =
/// mhat / (sqrt(vhat) + eps) + wd p.
using LambMomentsFn = void(Stream&, std::span<const OptimizerSlice>, const AdamWStep&, Out norms);
/// Second pass: p -= lr trust[i] u, with u recomputed from the moments.
using LambApplyFn = void(Stream&, std::span<const OptimizerSlice>, const AdamWStep&,
                         std::span<const double> trust);
struct SgdStep {
  double momentum = 0;
  bool nesterov = false;
  double grad_factor = 1;
  std::int64_t step = 1;  ///< at 1 the momentum buffer is set to the gradient, as in PyTorch
};
/// g += wd p; buf = momentum buf + g; p -= lr (nesterov ? g + momentum buf : buf).
using SgdFn = void(Stream&, std::span<const OptimizerSlice>, const SgdStep&);

/// Multiply-adds of `rounds` x (a fixed number) on every thread, for measuring the peak; returns
/// the FLOPs done.
using PeakProbeFn = double(Stream&, DType, std::int64_t rounds);

/// Every kernel of one backend at one instruction-set level.
struct KernelTable {
  const char* level;  ///< "avx2", "avx512", "avx512_bf16", "neon"
  GemmFn* gemm;
  EmbeddingFn* embedding;
  EmbeddingGradFn* embedding_grad;
  RmsNormFn* rms_norm;
  RmsNormGradXFn* rms_norm_grad_x;
  RmsNormGradWeightFn* rms_norm_grad_weight;
  LayerNormFn* layer_norm;
  LayerNormGradXFn* layer_norm_grad_x;
  LayerNormGradWeightFn* layer_norm_grad_weight;
  RopeFn* rope;
  AttentionFn* attention;
  AttentionGradFn* attention_grad;
  ActivationFn* activation;
  ActivationGradFn* activation_grad;
  GatedActivationFn* gated_activation;
  GatedActivationGradFn* gated_activation_grad;
  SoftmaxFn* softmax;
  SoftmaxGradFn* softmax_grad;
  CrossEntropyFn* cross_entropy;
  CrossEntropyStatisticsFn* cross_entropy_statistics;
  CrossEntropyFromStatisticsFn* cross_entropy_from_statistics;
  AddFn* add;
  MulFn* mul;
  ScaleFn* scale;
  AxpyFn* axpy;
  FillFn* fill;
  CastFn* cast;
  ReduceFn* reduce;
  ReduceRowsFn* reduce_rows;
  SumRowsFn* sum_rows;
  SumSquaresFn* sum_squares;
  AllFiniteFn* all_finite;
  RandomNormalFn* random_normal;
  RandomUniformFn* random_uniform;
  DropoutFn* dropout;
  AdamWFn* adamw;
  LambMomentsFn* lamb_moments;
  LambApplyFn* lamb_apply;
  SgdFn* sgd;
  PeakProbeFn* peak_probe;
};

/// The table of a device's backend: the only dispatch point. On the CPU the best level this machine
/// runs, chosen once.
const KernelTable& kernels(Device device);
/// Every level compiled in that this machine can run, best first; for tests.
std::span<const KernelTable* const> runnable_levels(Device device);
/// The calling thread's stream on `device`. Each host thread (each rank of the `threads`
/// communicator) has its own.
Stream& current_stream(Device device);
/// Sets how many OpenMP threads the calling host thread's stream uses (default 1).
void set_num_threads(int num_threads, Device device = cpu_device);

}  // namespace boostr
