#include "ops/elementwise.h"

#include <numeric>

#include "ops/cast.h"
#include "ops/dropout.h"
#include "ops/reshape.h"
#include "tests/ops/op_case.h"

namespace boostr::testing {
namespace {

using Op = std::function<Tensor(const std::vector<Tensor>&)>;
using Reference = std::function<Doubles(const std::vector<Doubles>&)>;

OpCase unary(std::string name, Op op, Reference reference, bool is_weight = false) {
  return {std::move(name),
          {{.shape = {3, 33}, .is_weight = is_weight}},
          std::move(op),
          std::move(reference)};
}

OpCase binary(std::string name, Op op, Reference reference, bool is_weight = false) {
  return {std::move(name),
          {{.shape = {7, 5}}, {.shape = {7, 5}, .is_weight = is_weight}},
          std::move(op),
          std::move(reference)};
}

Tensor add_op(const std::vector<Tensor>& in) { return add(in[0], in[1]); }
Tensor mul_op(const std::vector<Tensor>& in) { return mul(in[0], in[1]); }
Tensor scale_op(const std::vector<Tensor>& in) { return scale(in[0], -0.75); }
Tensor sum_op(const std::vector<Tensor>& in) { return sum(in[0]); }
Tensor mean_op(const std::vector<Tensor>& in) { return mean(in[0]); }
Tensor reshape_op(const std::vector<Tensor>& in) { return reshape(in[0], {11, 9}); }
/// In f64 runs the cast is the tensor itself.
Tensor cast_op(const std::vector<Tensor>& in) { return scale_op({cast(in[0], DType::f64)}); }
Tensor dropout_op(const std::vector<Tensor>& in) {
  return dropout(in[0], 0.4, {.seed = 5, .stream = 6}, {.first = 1000, .row_stride = 77});
}

Doubles sums(const std::vector<Doubles>& in) {
  Doubles y = in[0];
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += in[1][i];
  return y;
}

Doubles products(const std::vector<Doubles>& in) {
  Doubles y = in[0];
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= in[1][i];
  return y;
}

Doubles scaled(const std::vector<Doubles>& in) {
  Doubles y = in[0];
  for (double& value : y) value *= -0.75;
  return y;
}

Doubles total(const std::vector<Doubles>& in) {
  return {std::accumulate(in[0].begin(), in[0].end(), 0.0)};
}

Doubles average(const std::vector<Doubles>& in) {
  return {total(in)[0] / static_cast<double>(in[0].size())};
}

Doubles same(const std::vector<Doubles>& in) { return in[0]; }

/// The mask is the kernel's (its tests say which), the arithmetic ours.
Doubles dropped(const std::vector<Doubles>& in) {
  static const Doubles mask = doubles_of(dropout_op({Tensor::full({3, 33}, DType::f64, 1.0)}));
  return products({in[0], mask});
}

INSTANTIATE_TEST_SUITE_P(
    Elementwise, OpTest,
    ::testing::Values(
        binary("add", add_op, sums), binary("add_a_weight", add_op, sums, true),
        binary("mul", mul_op, products), binary("mul_by_a_weight", mul_op, products, true),
        unary("scale", scale_op, scaled), unary("scale_a_weight", scale_op, scaled, true),
        unary("sum", sum_op, total), unary("mean", mean_op, average),
        unary("sum_of_a_weight", sum_op, total, true), unary("reshape", reshape_op, same),
        unary("reshape_a_weight", reshape_op, same, true), unary("cast", cast_op, scaled),
        unary("cast_a_weight", cast_op, scaled, true), unary("dropout", dropout_op, dropped)),
    case_name);

TEST(Elementwise, SumInF64AddsInF64) {
  std::vector<float> values(3000, 1.0f);
  values[0] = 0x1p27f;  // adding 1 to this changes nothing in f32
  const Tensor y = sum_in_f64(Tensor::of({3000}, values), 0.5);
  EXPECT_EQ(y.dtype(), DType::f64);
  EXPECT_EQ(y.item(), 0.5 * (0x1p27 + 2999));
}

TEST(Elementwise, AddRefusesShapesThatDiffer) {
  EXPECT_THROW(add(Tensor::empty({2, 3}, DType::f32), Tensor::empty({3}, DType::f32)), Error);
}

TEST(Elementwise, AddRefusesTypesThatDiffer) {
  EXPECT_THROW(add(Tensor::empty({3}, DType::f32), Tensor::empty({3}, DType::f64)), Error);
}

TEST(Reshape, RefusesAnotherNumberOfElements) {
  EXPECT_THROW(reshape(Tensor::empty({2, 3}, DType::f32), {7}), Error);
}

TEST(Cast, ToTheSameTypeIsTheTensorItself) {
  const Tensor x = normal_tensor({3}, DType::f32, 1);
  EXPECT_EQ(cast(x, DType::f32).storage(), x.storage());
}

TEST(Dropout, OfNothingIsTheTensorItself) {
  const Tensor x = normal_tensor({3}, DType::f32, 1);
  EXPECT_EQ(dropout(x, 0.0, {}).storage(), x.storage());
}

TEST(Dropout, RefusesAProbabilityOfOne) {
  EXPECT_THROW(dropout(Tensor::empty({3}, DType::f32), 1.0, {}), Error);
}

}  // namespace
}  // namespace boostr::testing
