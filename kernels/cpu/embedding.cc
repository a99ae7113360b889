#include <cstring>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rows.h"

// y[t, :] = table[id_t, :] and its gradient dtable[id_t, :] += dy[t, :]. Ids outside the table
// belong to another shard of the vocabulary.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

std::int64_t id_at(const In& ids, std::int64_t t) {
  return ids.dtype == DType::i64 ? ids.as<std::int64_t>()[t] : ids.as<std::int32_t>()[t];
}

}  // namespace

void embedding(Stream& stream, Out y, In table, In ids, std::int64_t first_row) {
  const std::size_t row_bytes = std::size_t(table.shape.back()) * size_of(table.dtype);
  for_each_row(stream, y.shape, [&](std::int64_t t) {
    std::byte* const target = y.as<std::byte>() + std::size_t(t) * row_bytes;
    const std::int64_t row = id_at(ids, t) - first_row;
    if (row < 0 || row >= table.shape.rows()) {
      std::memset(target, 0, row_bytes);
    } else {
      std::memcpy(target, table.as<std::byte>() + std::size_t(row) * row_bytes, row_bytes);
    }
  });
}

void embedding_grad(Stream& stream, Out dtable, In dy, In ids, std::int64_t first_row,
                    bool accumulate) {
  if (!accumulate) fill(stream, dtable, 0.0);
  dispatch_float(dy.dtype, [&]<class S>() {
    using A = Accumulator<S>;
    const std::int64_t columns = dy.shape.back();
    // Tokens may share a row, so threads own columns: each adds all tokens in order.
    parallel_for(stream, columns, 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = 0; t < dy.shape.rows(); ++t) {
        const std::int64_t row = id_at(ids, t) - first_row;
        if (row < 0 || row >= dtable.shape.rows()) continue;
        A* const sum = dtable.as<A>() + row * columns + begin;
        const S* const term = dy.as<S>() + t * columns + begin;
        for_each_vector(end - begin, lanes<A>, [&](std::int64_t i, std::int64_t n) {
          store_n(sum + i, load_n(sum + i, n) + load_n(term + i, n), n);
        });
      }
    });
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
