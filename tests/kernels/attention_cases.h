#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/reference/attention.h"
#include "tests/testing/levels.h"

/// Problems for the tests of attention and its gradient.
namespace boostr::testing {

struct AttentionCase {
  std::int64_t batch, sequence, heads, groups, dim;
  bool causal = true;
  std::int64_t window = 0;
  std::int64_t document = 0;  ///< > 0: documents of about this length
};

inline std::string describe(const AttentionCase& c) {
  return text("B ", c.batch, " S ", c.sequence, " H ", c.heads, " G ", c.groups, " D ", c.dim,
              c.causal ? " causal" : "", " window ", c.window, " document ", c.document);
}

/// Random q, k, v, dout of one type, and what attention must give for them.
struct AttentionProblem {
  AttentionProblem(const AttentionCase& c, DType dtype, double std = 1.0)
      : query_shape{c.batch, c.sequence, c.heads, c.dim},
        key_shape{c.batch, c.sequence, c.groups, c.dim},
        lse_shape{c.batch, c.heads, c.sequence},
        options{.scale = 1 / std::sqrt(double(c.dim)), .causal = c.causal, .window = c.window},
        q(TestTensor::normal(dtype, query_shape, 1, std)),
        k(TestTensor::normal(dtype, key_shape, 2, std)),
        v(TestTensor::normal(dtype, key_shape, 3)),
        dout(TestTensor::normal(dtype, query_shape, 4)) {
    if (c.document > 0) documents = make_documents(c);
  }

  /// Documents of 1 to 2 * `document` positions, cut elsewhere in every batch row.
  static TestTensor make_documents(const AttentionCase& c) {
    TestTensor ids(DType::i32, {c.batch, c.sequence});
    std::mt19937_64 generator(5);
    std::uniform_int_distribution<std::int64_t> length(1, 2 * c.document);
    for (std::int64_t b = 0; b < c.batch; ++b) {
      std::int64_t id = 3, left = length(generator);
      for (std::int64_t s = 0; s < c.sequence; ++s, --left) {
        if (left == 0) id += 2, left = length(generator);
        ids.set(b * c.sequence + s, double(id));
      }
    }
    return ids;
  }

  DType dtype() const { return q.dtype(); }
  DType acc() const { return accumulator_of(q.dtype()); }
  reference::AttentionInput reference_input() const {
    return {query_shape[0], query_shape[1], query_shape[2], key_shape[2], query_shape[3],
            options,        q.doubles(),    k.doubles(),    v.doubles(),  documents.doubles()};
  }

  /// {out, lse}
  std::vector<TestTensor> forward(const KernelTable& kernels, Stream& stream) const {
    std::vector<TestTensor> y{{dtype(), query_shape}, {acc(), lse_shape}};
    kernels.attention(stream, y[0], y[1], q, k, v, documents, options);
    return y;
  }
  /// {dq, dk, dv}
  std::vector<TestTensor> backward(const KernelTable& kernels, Stream& stream,
                                   const std::vector<TestTensor>& y) const {
    std::vector<TestTensor> d{{dtype(), query_shape}, {dtype(), key_shape}, {dtype(), key_shape}};
    kernels.attention_grad(stream, d[0], d[1], d[2], dout, {q, k, v, documents, y[0], y[1]},
                           options);
    return d;
  }

  Shape query_shape, key_shape, lse_shape;
  AttentionOptions options;
  TestTensor q, k, v, dout, documents;
};

/// Shapes around the panels (12 to 48 queries) and the tiles (96 keys), every way heads share keys,
/// and every mask with the others.
inline std::vector<AttentionCase> attention_cases() {
  std::vector<AttentionCase> cases{
      {2, 1, 1, 1, 1},    {1, 7, 2, 2, 7},    {2, 33, 4, 2, 33}, {1, 65, 4, 1, 65},
      {1, 97, 3, 3, 16},  {1, 211, 2, 1, 64}, {1, 130, 8, 2, 8}, {1, 50, 1, 1, 128},
      {1, 40, 2, 2, 256}, {1, 96, 1, 1, 80},  {1, 192, 1, 1, 1}, {2, 100, 6, 3, 5},
      {1, 300, 20, 1, 3},
  };
  for (bool causal : {true, false}) {
    for (std::int64_t window : {0, 1, 5, 64, 1000})
      cases.push_back({1, 133, 2, 1, 9, causal, window, 0});
    for (std::int64_t window : {0, 20})
      for (std::int64_t document : {1, 6, 60, 1000})
        cases.push_back({2, 121, 2, 1, 10, causal, window, document});
  }
  return cases;
}

/// Tests that run once per storage type.
class AttentionOfType : public ::testing::TestWithParam<DType> {
 protected:
  /// Calls test(problem) for every case.
  template <class Test>
  void for_each_case(Test&& test) const {
    for (const AttentionCase& c : attention_cases()) {
      SCOPED_TRACE(describe(c));
      test(AttentionProblem(c, GetParam()));
    }
  }
};
inline std::string type_name(const ::testing::TestParamInfo<DType>& info) {
  return std::string(name(info.param));
}

}  // namespace boostr::testing
