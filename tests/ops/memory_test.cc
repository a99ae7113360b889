#include <pthread.h>

#include <functional>
#include <memory>

#include "ops/activation.h"
#include "ops/autograd.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/linear_cross_entropy.h"
#include "ops/reshape.h"
#include "tests/ops/op_case.h"

// What stays in memory, and when it goes.
namespace boostr::testing {
namespace {

constexpr std::int64_t tokens = 64, hidden = 32, vocabulary = 48;

/// A small network with its gradients allocated.
struct Network {
  Parameter up = normal_parameter({2 * hidden, hidden}, DType::f32, 1);
  Parameter down = normal_parameter({hidden, 2 * hidden}, DType::f32, 2);
  Parameter head = normal_parameter({vocabulary, hidden}, DType::f32, 3);
  Tensor x = normal_tensor({1, tokens, hidden}, DType::f32, 4);
  Tensor targets = Tensor::zeros({1, tokens}, DType::i32);

  /// Gradients have their place before the first step, as in training: made on the way, they would
  /// take blocks that the step's own tensors come back to.
  Network() {
    for (Parameter* parameter : {&up, &down, &head})
      parameter->set_grad_storage(Tensor::zeros(parameter->shape(), DType::f32));
  }

  Tensor loss() const {
    Tensor h = x;
    for (int layer = 0; layer < 4; ++layer) h = add(h, linear(silu(linear(h, up)), down));
    return linear_cross_entropy(reshape(h, {tokens, hidden}), head, targets, 1.0 / tokens);
  }
};

std::size_t bytes_in_use() { return allocator_stats().bytes_in_use; }

TEST(Memory, AStepGivesBackAllActivations) {
  const Network network;
  backward(network.loss());  // makes the kernels' workspace
  const std::size_t before = bytes_in_use();
  backward(network.loss());
  EXPECT_EQ(bytes_in_use(), before);
}

TEST(Memory, AStepInTwoPartsGivesBackAllActivations) {
  const Network network;
  backward(network.loss());
  const std::size_t before = bytes_in_use();
  const Tensor dy = Tensor::full({1}, DType::f64, 1.0);
  backward_input(network.loss(), dy).run();
  EXPECT_EQ(bytes_in_use(), before + 64) << "only dy is left";
}

TEST(Memory, ADroppedGraphGivesBackAllActivations) {
  const Network network;
  backward(network.loss());
  const std::size_t before = bytes_in_use();
  { const Tensor dropped = network.loss(); }
  EXPECT_EQ(bytes_in_use(), before);
}

TEST(Memory, TheBackwardFreesAsItProceedsThoughTheLossLives) {
  const Network network;
  backward(network.loss());
  const std::size_t before = bytes_in_use();
  const Tensor loss = network.loss();
  backward(loss);
  EXPECT_LE(bytes_in_use(), before + 64) << "only the loss is left";
}

TEST(Memory, TheBackwardNeedsLittleMoreThanTheForwardLeft) {
  const Network network;
  backward(network.loss());
  const Tensor loss = network.loss();
  const std::size_t after_forward = bytes_in_use();
  reset_peak_memory();
  backward(loss);
  const std::size_t activation = tokens * 2 * hidden * sizeof(float);
  EXPECT_LE(allocator_stats().peak_bytes_in_use, after_forward + 3 * activation);
}

TEST(Memory, TheSecondOfTwoStepsAsksTheSystemForNothing) {
  const Network network;
  backward(network.loss());
  const std::uint64_t before = allocator_stats().system_allocations;
  backward(network.loss());
  EXPECT_EQ(allocator_stats().system_allocations, before);
}

TEST(Memory, ASaveByAnOpDiesWithItsBackward) {
  const Tensor x = input_leaf(normal_tensor({3, 4}, DType::f64, 1));
  std::weak_ptr<Storage> saved;
  const Tensor y = [&] {
    const Tensor middle = silu(x);
    saved = middle.storage();
    return silu(middle);
  }();
  EXPECT_FALSE(saved.expired());
  backward(y, Tensor::full({3, 4}, DType::f64, 1.0));
  EXPECT_TRUE(saved.expired());
}

TEST(Memory, TheInputBackwardKeepsOnlyWhatTheWeightBackwardReads) {
  const Parameter weight = normal_parameter({4, 4}, DType::f64, 2);
  const Tensor x = input_leaf(normal_tensor({3, 4}, DType::f64, 1));
  std::weak_ptr<Storage> for_silu, for_weight;
  const Tensor y = [&] {
    const Tensor a = scale(x, 2.0);
    const Tensor b = silu(a);
    for_silu = a.storage();
    for_weight = b.storage();
    return linear(b, weight);
  }();
  WeightGrads later = backward_input(y, Tensor::full({3, 4}, DType::f64, 1.0));
  EXPECT_TRUE(for_silu.expired());
  EXPECT_FALSE(for_weight.expired());
  later.run();
  EXPECT_TRUE(for_weight.expired());
}

/// Runs f on a thread whose stack has no room for a call for every op of a long chain.
void on_a_small_stack(const std::function<void()>& f) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
  const auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  pthread_t thread;
  ASSERT_EQ(
      pthread_create(&thread, &attributes, run, const_cast<void*>(static_cast<const void*>(&f))),
      0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

template <class Op>
Tensor long_chain(Op op) {
  Tensor h = input_leaf(normal_tensor({1}, DType::f64, 1));
  for (int i = 0; i < 10000; ++i) h = op(h);
  return h;
}

TEST(Memory, ALongChainIsDestroyedWithoutRecursion) {
  on_a_small_stack([] {
    const std::weak_ptr<Node> last = long_chain(silu).node();
    EXPECT_TRUE(last.expired());
  });
}

TEST(Memory, ALongChainIsDifferentiatedWithoutRecursion) {
  on_a_small_stack([] {
    const Tensor y = long_chain(silu);
    backward(y);
    EXPECT_THROW(backward(y), Error);
  });
}

TEST(Memory, ALongChainOfSegmentsIsDestroyedWithoutRecursion) {
  on_a_small_stack([] {
    const std::weak_ptr<Node> last =
        long_chain([](const Tensor& h) { return recompute(silu, h); }).node();
    EXPECT_TRUE(last.expired());
  });
}

}  // namespace
}  // namespace boostr::testing
