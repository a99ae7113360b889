#include "ops/embedding.h"

#include <vector>

#include "kernels/kernel_table.h"
#include "ops/autograd.h"
#include "ops/check.h"

namespace boostr {

Tensor embedding(const Tensor& table, const Tensor& ids, std::int64_t first_row) {
  expect_float("embedding", "table", table);
  expect_dtype("embedding", "ids", ids, DType::i32);
  expect(table.shape().num_dims() == 2, "embedding: table has shape ", table.shape(),
         ", expected [rows, hidden]");
  std::vector<std::int64_t> dims(ids.shape().dims().begin(), ids.shape().dims().end());
  dims.push_back(table.shape()[1]);
  const Tensor y = Tensor::empty(Shape(dims), table.dtype(), table.device());
  kernels(y.device())
      .embedding(current_stream(y.device()), y.out(), table.in(), ids.in(), first_row);
  const auto grad_table = [ids, first_row](const Tensor& dy, const Tensor& grad, bool accumulate) {
    kernels(dy.device())
        .embedding_grad(current_stream(dy.device()), grad.out(), dy.in(), ids.in(), first_row,
                        accumulate);
  };
  return record("embedding", y, {{table, grad_table}}, Side::data, {ids});
}

}  // namespace boostr
