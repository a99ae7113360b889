#include "ops/activation.h"

#include "tests/ops/op_case.h"
#include "tests/reference/activation.h"

namespace boostr::testing {
namespace {

OpCase activation_case(std::string name, Activation kind) {
  OpCase c;
  c.name = std::move(name);
  c.inputs = {{.shape = {3, 33}, .std = 2.0}};
  c.op = [kind](const std::vector<Tensor>& in) { return activation(in[0], kind); };
  c.reference = [kind](const std::vector<Doubles>& in) {
    Doubles y;
    for (double x : in[0]) y.push_back(reference::activation(x, kind));
    return y;
  };
  return c;
}

OpCase gated_case(std::string name, Activation kind) {
  OpCase c;
  c.name = std::move(name);
  c.inputs = {{.shape = {5, 7}, .std = 2.0}, {.shape = {5, 7}}};
  c.op = [kind](const std::vector<Tensor>& in) { return gated_activation(in[0], in[1], kind); };
  c.reference = [kind](const std::vector<Doubles>& in) {
    Doubles y;
    for (std::size_t i = 0; i < in[0].size(); ++i)
      y.push_back(reference::activation(in[0][i], kind) * in[1][i]);
    return y;
  };
  return c;
}

INSTANTIATE_TEST_SUITE_P(Activation, OpTest,
                         ::testing::Values(activation_case("silu", Activation::silu),
                                           activation_case("gelu", Activation::gelu),
                                           activation_case("gelu_tanh", Activation::gelu_tanh),
                                           gated_case("gated_silu", Activation::silu),
                                           gated_case("gated_gelu", Activation::gelu),
                                           gated_case("gated_gelu_tanh", Activation::gelu_tanh)),
                         case_name);

TEST(Activation, NamesAreShorthands) {
  const Tensor x = normal_tensor({9}, DType::f32, 1);
  const Tensor up = normal_tensor({9}, DType::f32, 2);
  EXPECT_TRUE(same_bits(silu(x), activation(x, Activation::silu)));
  EXPECT_TRUE(same_bits(gelu(x), activation(x, Activation::gelu)));
  EXPECT_TRUE(same_bits(swiglu(x, up), gated_activation(x, up, Activation::silu)));
}

TEST(Activation, RefusesGateAndUpThatDiffer) {
  EXPECT_THROW(swiglu(Tensor::empty({2, 3}, DType::f32), Tensor::empty({3, 2}, DType::f32)), Error);
}

}  // namespace
}  // namespace boostr::testing
