#include "ops/attention.h"

#include "tests/ops/op_case.h"
#include "tests/reference/attention.h"

// B = 2 sequences of S = 9 tokens in three documents.
namespace boostr::testing {
namespace {

constexpr std::int64_t batch = 2, sequence = 9;
const std::vector<std::int32_t> document_ids{0, 0, 0, 1, 1, 1, 1, 2, 2, 4, 4, 4, 4, 4, 4, 4, 9, 9};

OpCase attention_case(std::string name, std::int64_t heads, std::int64_t groups, std::int64_t dim,
                      AttentionOptions options, bool with_documents = false) {
  options.scale = 0.6;
  OpCase c;
  c.name = std::move(name);
  const Shape keys{batch, sequence, groups, dim};
  c.inputs = {{.shape = {batch, sequence, heads, dim}}, {.shape = keys}, {.shape = keys}};
  c.op = [=](const std::vector<Tensor>& in) {
    const Tensor documents =
        with_documents ? Tensor::of({batch, sequence}, document_ids) : Tensor();
    return attention(in[0], in[1], in[2], documents, options);
  };
  c.reference = [=](const std::vector<Doubles>& in) {
    reference::AttentionInput input{batch,   sequence, heads, groups, dim,
                                    options, in[0],    in[1], in[2],  {}};
    if (with_documents) input.documents.assign(document_ids.begin(), document_ids.end());
    return reference::attention(input).out;
  };
  return c;
}

INSTANTIATE_TEST_SUITE_P(Attention, OpTest,
                         ::testing::Values(attention_case("causal", 1, 1, 7, {}),
                                           attention_case("full", 2, 2, 3, {.causal = false}),
                                           attention_case("grouped", 4, 2, 5, {}),
                                           attention_case("multi_query_window", 3, 1, 4,
                                                          {.window = 3}),
                                           attention_case("documents", 2, 1, 5, {}, true),
                                           attention_case("full_window_documents", 2, 2, 5,
                                                          {.causal = false, .window = 4}, true)),
                         case_name);

TEST(Attention, RefusesHeadsThatGroupsDoNotDivide) {
  const Tensor q = Tensor::empty({1, 4, 3, 8}, DType::f32);
  const Tensor k = Tensor::empty({1, 4, 2, 8}, DType::f32);
  EXPECT_THROW(attention(q, k, k, {}, {}), Error);
}

TEST(Attention, RefusesDocumentsOfAnotherShape) {
  const Tensor q = Tensor::empty({1, 4, 2, 8}, DType::f32);
  EXPECT_THROW(attention(q, q, q, Tensor::empty({1, 5}, DType::i32), {}), Error);
}

}  // namespace
}  // namespace boostr::testing
