#include "kernels/kernel_cost.h"

#include <gtest/gtest.h>

namespace boostr {
namespace {

/// A view that nobody looks into.
In in(DType dtype, const Shape& shape) {
  static const char byte = 0;
  return {&byte, dtype, shape};
}
Out out(DType dtype, const Shape& shape) {
  static char byte = 0;
  return {&byte, dtype, shape};
}

constexpr DType f32 = DType::f32, bf16 = DType::bf16, i32 = DType::i32;

TEST(KernelCost, OfAProductIsTwoFlopsPerMultiplyAdd) {
  const KernelRow<&KernelTable::gemm> gemm;
  const KernelCost cost =
      kernel_cost(gemm, out(f32, {5, 7}), in(bf16, {5, 3}), in(bf16, {3, 7}), In{}, GemmOptions{});
  EXPECT_EQ(cost.flops, 2 * 5 * 7 * 3);
  EXPECT_EQ(cost.bytes, 5 * 7 * 4 + 5 * 3 * 2 + 3 * 7 * 2);
  const KernelCost added =
      kernel_cost(gemm, out(f32, {2, 5, 7}), in(bf16, {2, 3, 5}), in(bf16, {2, 7, 3}),
                  in(bf16, {7}), GemmOptions{true, true, true});
  EXPECT_EQ(added.flops, 2 * 2 * 5 * 7 * 3);
  EXPECT_EQ(added.bytes, 2 * (2 * 5 * 7 * 4) + 2 * (5 * 3 + 3 * 7) * 2 + 7 * 2);
}

TEST(KernelCost, CountsThePairsThatTheMaskShows) {
  for (const bool causal : {true, false})
    for (const std::int64_t window : {0, 1, 3, 8, 20}) {
      std::int64_t pairs = 0;
      for (std::int64_t i = 0; i < 8; ++i)
        for (std::int64_t j = 0; j < 8; ++j)
          pairs += (!causal || j <= i) && (window == 0 || j > i - window);
      EXPECT_EQ(visible_pairs(8, {.causal = causal, .window = window}), double(pairs))
          << causal << " " << window;
    }
}

TEST(KernelCost, OfAttentionIsTwoProductsForwardAndFiveBackward) {
  const In q = in(f32, {2, 8, 6, 4}), k = in(f32, {2, 8, 3, 4}), lse = in(f32, {2, 6, 8});
  const double width = 6 * 4, pairs = 2 * 36, q_bytes = 2 * 8 * 6 * 4 * 4, k_bytes = q_bytes / 2;
  const KernelCost forward = kernel_cost(KernelRow<&KernelTable::attention>{}, out(f32, q.shape),
                                         out(f32, lse.shape), q, k, k, In{}, AttentionOptions{});
  EXPECT_EQ(forward.flops, 4 * width * pairs);
  EXPECT_EQ(forward.bytes, 2 * q_bytes + 2 * k_bytes + 2 * 6 * 8 * 4);
  const KernelCost backward =
      kernel_cost(KernelRow<&KernelTable::attention_grad>{}, out(f32, q.shape), out(f32, k.shape),
                  out(f32, k.shape), q, AttentionSaved{q, k, k, In{}, q, lse}, AttentionOptions{});
  EXPECT_EQ(backward.flops, 10 * width * pairs);
  EXPECT_EQ(backward.bytes, 4 * q_bytes + 4 * k_bytes + 2 * 6 * 8 * 4);
}

TEST(KernelCost, OfAttentionStaysInsideDocuments) {
  const std::int32_t ids[] = {0, 0, 0, 1, 1, 2, 2, 2,   // 3, 2 and 3 positions
                              4, 4, 4, 4, 4, 4, 4, 9};  // 7 and 1
  const In q = in(f32, {2, 8, 1, 4});
  const KernelCost cost =
      kernel_cost(KernelRow<&KernelTable::attention>{}, out(f32, q.shape), out(f32, {2, 1, 8}), q,
                  q, q, In{ids, i32, {2, 8}}, AttentionOptions{});
  EXPECT_EQ(cost.flops, 4 * 4 * (6 + 3 + 6 + 28 + 1));
}

TEST(KernelCost, OfAnEmbeddingIsTheRowsThatAreNamed) {
  const In ids = in(i32, {2, 8});
  const KernelCost cost = kernel_cost(KernelRow<&KernelTable::embedding>{}, out(bf16, {2, 8, 4}),
                                      in(bf16, {5000, 4}), ids, std::int64_t{0});
  EXPECT_EQ(cost.bytes, 2 * (16 * 4 * 2) + 16 * 4);
  const KernelRow<&KernelTable::embedding_grad> grad;
  const double added = 2 * (16 * 4 * 4), read = 16 * 4 * 2 + 16 * 4;
  EXPECT_EQ(
      kernel_cost(grad, out(f32, {5000, 4}), in(bf16, {2, 8, 4}), ids, std::int64_t{0}, true).bytes,
      added + read);
  EXPECT_EQ(kernel_cost(grad, out(f32, {5000, 4}), in(bf16, {2, 8, 4}), ids, std::int64_t{0}, false)
                .bytes,
            added + read + 5000 * 4 * 4);
}

TEST(KernelCost, OfTheOthersIsTheirOperands) {
  const KernelCost norm = kernel_cost(KernelRow<&KernelTable::rms_norm>{}, out(bf16, {6, 4}),
                                      out(f32, {6}), in(bf16, {6, 4}), in(bf16, {4}), 1e-5);
  EXPECT_EQ(norm.bytes, 2 * (6 * 4 * 2) + 6 * 4 + 4 * 2);
  EXPECT_EQ(norm.flops, 0);
  const KernelCost axpy =
      kernel_cost(KernelRow<&KernelTable::axpy>{}, out(f32, {10}), in(bf16, {10}), 0.5);
  EXPECT_EQ(axpy.bytes, 2 * 40 + 20);
  const KernelCost cross_entropy = kernel_cost(KernelRow<&KernelTable::cross_entropy>{},
                                               out(f32, {6}), Out{}, in(f32, {6, 9}), in(i32, {6}));
  EXPECT_EQ(cross_entropy.bytes, 6 * 4 + 6 * 9 * 4 + 6 * 4);
}

TEST(KernelCost, OfAnOptimizerIsWhatItsPassesMove) {
  const OptimizerSlice slice{.master = out(f32, {10}),
                             .exp_avg = out(f32, {10}),
                             .exp_avg_sq = out(f32, {10}),
                             .param = out(bf16, {10}),
                             .grad = in(f32, {10})};
  const OptimizerSlice two[] = {slice, slice};
  const std::span<const OptimizerSlice> slices = two;
  // Per element: master and both moments read and written, the gradient read, the parameter
  // written.
  EXPECT_EQ(kernel_cost(KernelRow<&KernelTable::adamw>{}, slices, AdamWStep{}).bytes,
            20 * (6 * 4 + 4 + 2));
  const KernelCost moments =
      kernel_cost(KernelRow<&KernelTable::lamb_moments>{}, slices, AdamWStep{}, out(f32, {4}));
  EXPECT_EQ(moments.bytes, 20 * (5 * 4 + 4) + 4 * 4);
  const double trust[] = {1, 1};
  const KernelCost apply = kernel_cost(KernelRow<&KernelTable::lamb_apply>{}, slices, AdamWStep{},
                                       std::span<const double>(trust));
  EXPECT_EQ(apply.bytes, 20 * (4 * 4 + 2) + 2 * 8);
  OptimizerSlice without_momentum;
  without_momentum.master = out(f32, {10});
  without_momentum.grad = in(f32, {10});
  const OptimizerSlice plain[] = {without_momentum};
  EXPECT_EQ(
      kernel_cost(KernelRow<&KernelTable::sgd>{}, std::span<const OptimizerSlice>(plain), SgdStep{})
          .bytes,
      10 * 3 * 4);
}

}  // namespace
}  // namespace boostr
