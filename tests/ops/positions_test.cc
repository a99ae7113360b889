#include <cmath>

#include "ops/autograd.h"
#include "ops/copy.h"
#include "ops/embedding.h"
#include "ops/rope.h"
#include "tests/ops/op_case.h"
#include "tests/reference/embedding.h"
#include "tests/reference/rope.h"

namespace boostr::testing {
namespace {

/// Duplicates, and ids of other shards on both sides.
const std::vector<std::int32_t> ids{2, 7, 2, 0, 6, 12, 3, 3};

OpCase embedding_case(std::int64_t rows, std::int64_t width, std::int64_t first_row) {
  OpCase c;
  c.name = text("embedding_", rows, "x", width, "_from_", first_row);
  c.inputs = {{.shape = {rows, width}, .is_weight = true}};
  c.op = [=](const std::vector<Tensor>& in) {
    return embedding(in[0], Tensor::of({2, 4}, ids), first_row);
  };
  c.reference = [=](const std::vector<Doubles>& in) {
    return reference::embedding(in[0], width, Doubles(ids.begin(), ids.end()), first_row);
  };
  return c;
}

Doubles angles(std::int64_t positions, std::int64_t pairs) {
  return normal(positions * pairs, 7, 3.0);
}

Tensor table(std::int64_t positions, std::int64_t pairs, DType dtype, double (*f)(double)) {
  Doubles values = angles(positions, pairs);
  for (double& value : values) value = f(value);
  return tensor_of({positions, pairs}, values, accumulator_of(dtype));
}

OpCase rope_case(std::string name, std::int64_t dim, std::int64_t pairs, RopeOptions options) {
  constexpr std::int64_t positions = 9;
  const Shape shape{2, 5, 3, dim};
  OpCase c;
  c.name = std::move(name);
  c.inputs = {{.shape = shape}};
  c.op = [=](const std::vector<Tensor>& in) {
    const DType dtype = in[0].dtype();
    return rope(in[0], table(positions, pairs, dtype, std::cos),
                table(positions, pairs, dtype, std::sin), options.interleaved,
                options.first_position);
  };
  c.reference = [=](const std::vector<Doubles>& in) {
    return reference::rope(in[0], shape, angles(positions, pairs), pairs, options);
  };
  return c;
}

INSTANTIATE_TEST_SUITE_P(Embedding, OpTest,
                         ::testing::Values(embedding_case(13, 7, 0), embedding_case(5, 33, 2)),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Rope, OpTest,
                         ::testing::Values(rope_case("split_half", 10, 5, {}),
                                           rope_case("interleaved", 10, 5, {.interleaved = true}),
                                           rope_case("part_of_the_head", 7, 2, {}),
                                           rope_case("later_positions", 6, 3,
                                                     {.first_position = 4})),
                         case_name);

TEST(Embedding, IsDataSide) {
  const Parameter weight = normal_parameter({13, 4}, DType::bf16, 1);
  EXPECT_EQ(gradient_dtype(embedding(weight, Tensor::of({8}, ids))), DType::bf16);
}

TEST(Embedding, AWriteToTheIdsBeforeTheBackwardIsAnError) {
  const Parameter weight = normal_parameter({13, 4}, DType::f32, 1);
  const Tensor tokens = Tensor::of({8}, ids);
  const Tensor y = embedding(weight, tokens);
  fill(tokens, 0.0);
  EXPECT_THROW(backward(y, Tensor::full({8, 4}, DType::f32, 1.0)), Error);
}

TEST(Rope, RefusesPositionsPastTheTables) {
  const Tensor x = Tensor::empty({1, 5, 1, 4}, DType::f32);
  const Tensor cos = Tensor::empty({6, 2}, DType::f32);
  EXPECT_THROW(rope(x, cos, cos, false, 2), Error);
}

TEST(Rope, RefusesTablesOfAnotherType) {
  const Tensor x = Tensor::empty({1, 5, 1, 4}, DType::bf16);
  const Tensor cos = Tensor::empty({6, 2}, DType::bf16);
  EXPECT_THROW(rope(x, cos, cos), Error);
}

}  // namespace
}  // namespace boostr::testing
