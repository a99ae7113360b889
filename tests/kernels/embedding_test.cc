#include "tests/reference/embedding.h"

#include "tests/testing/levels.h"

namespace boostr::testing {
namespace {

constexpr std::int64_t rows = 11, first_row = 5, vocabulary = 21;

/// Calls test(level, dtype, type of the ids, columns). Rows 5 .. 15 of 21 lie in the shard.
template <class Test>
void for_each_case(Test&& test) {
  for_each_level([&](const KernelTable& level) {
    for (DType dtype : float_types) {
      for (DType id_type : {DType::i32, DType::i64}) {
        for (std::int64_t columns : {1, 7, 33, 200}) {
          SCOPED_TRACE(text(dtype, " ", id_type, " ", columns, " columns"));
          test(level, dtype, id_type, columns);
        }
      }
    }
  });
}

TEST(Embedding, CopiesTheRowsOfTheShardAndZeroesTheRest) {
  for_each_case([](const KernelTable& level, DType dtype, DType id_type, std::int64_t columns) {
    const auto table = TestTensor::normal(dtype, {rows, columns}, 1);
    const auto ids = TestTensor::integers(id_type, {2, 35}, 2, 0, vocabulary - 1);
    const TestTensor y = same_on_any_threads([&](Stream& stream) {
      TestTensor out(dtype, {2, 35, columns});
      level.embedding(stream, out, table, ids, first_row);
      return out;
    });
    expect_close(y, reference::embedding(table.doubles(), columns, ids.doubles(), first_row), 0.0);
  });
}

TEST(EmbeddingGrad, AddsEveryTokenOfARow) {
  for_each_case([](const KernelTable& level, DType dtype, DType id_type, std::int64_t columns) {
    const auto dy = TestTensor::normal(dtype, {70, columns}, 3);
    const auto ids = TestTensor::integers(id_type, {70}, 4, 0, vocabulary - 1);
    const auto start = TestTensor::normal(accumulator_of(dtype), {rows, columns}, 5);
    for (bool accumulate : {false, true}) {
      const TestTensor dtable = same_on_any_threads([&](Stream& stream) {
        TestTensor out = start;
        level.embedding_grad(stream, out, dy, ids, first_row, accumulate);
        return out;
      });
      const auto from =
          accumulate ? start.doubles() : std::vector<double>(std::size_t(rows * columns), 0.0);
      expect_close(
          dtable, reference::embedding_grad(from, dy.doubles(), columns, ids.doubles(), first_row));
    }
  });
}

}  // namespace
}  // namespace boostr::testing
