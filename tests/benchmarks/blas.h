#pragma once

#include <optional>

#include "tests/benchmarks/fraction.h"

namespace boostr::benchmarks {

/// One matrix multiplication, or `batch` of them, one behind another.
struct GemmCall {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  std::int64_t batch = 1;

  double flops() const { return 2.0 * double(m) * double(n) * double(k) * double(batch); }
  Shape a_shape() const { return batched(transpose_a ? k : m, transpose_a ? m : k); }
  Shape b_shape() const { return batched(transpose_b ? n : k, transpose_b ? k : n); }
  Shape c_shape() const { return batched(m, n); }

 private:
  Shape batched(std::int64_t rows, std::int64_t columns) const {
    return batch == 1 ? Shape{rows, columns} : Shape{batch, rows, columns};
  }
};

/// The same multiplication by OpenBLAS, the yardstick of a good library: for f32 and f64, if this
/// was built with it. The arrays must outlive the contender.
std::optional<Contender> openblas(const GemmCall& call, const Array& a, const Array& b,
                                  const Array& c, int threads);

}  // namespace boostr::benchmarks
