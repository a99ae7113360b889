#include "trainer/checkpoint/tensor_region.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/runtime/dtype.h"
#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// Walks a region as runs that are contiguous in the flattened tensor, in ascending order.
class Runs {
 public:
  explicit Runs(const TensorRegion& region) : region_(region), length_(region.shape.numel()) {
    if (length_ == 0) return;
    if (region.is_slice()) {
      outer_dims_ = 0;
      begin_ = region.offset[0];
    } else {
      find_runs_of_block();
    }
  }

  bool done() const { return length_ == 0; }
  std::int64_t begin() const { return begin_; }  ///< in the flattened tensor
  std::int64_t end() const { return begin_ + length_; }
  std::int64_t local() const { return local_; }  ///< in the region's own order

  void next() {
    local_ += length_;
    for (int dim = outer_dims_ - 1; dim >= 0; --dim) {
      begin_ += strides_[dim];
      if (++index_[dim] < region_.shape[dim]) return;
      begin_ -= strides_[dim] * region_.shape[dim];
      index_[dim] = 0;
    }
    length_ = 0;
  }

 private:
  void find_runs_of_block() {
    const int dims = region_.shape.num_dims();
    std::int64_t stride = 1;
    for (int dim = dims - 1; dim >= 0; --dim) {
      strides_[dim] = stride;
      begin_ += region_.offset[dim] * stride;
      stride *= region_.global_shape[dim];
    }
    // The innermost dimensions that are whole, and the one before them, are contiguous together.
    outer_dims_ = std::max(0, dims - 1);
    while (outer_dims_ > 0 && region_.shape[outer_dims_] == region_.global_shape[outer_dims_])
      --outer_dims_;
    length_ = 1;
    for (int dim = outer_dims_; dim < dims; ++dim) length_ *= region_.shape[dim];
  }

  const TensorRegion& region_;
  std::int64_t length_;
  std::int64_t begin_ = 0;
  std::int64_t local_ = 0;
  int outer_dims_ = 0;
  std::array<std::int64_t, Shape::max_dims> strides_{};
  std::array<std::int64_t, Shape::max_dims> index_{};
};

/// The flattened indices from the first element to behind the last.
std::pair<std::int64_t, std::int64_t> bounds(const TensorRegion& region) {
  if (region.shape.numel() == 0) return {0, 0};
  if (region.is_slice()) return {region.offset[0], region.offset[0] + region.shape[0]};
  std::int64_t first = 0, last = 0, stride = 1;
  for (int dim = region.shape.num_dims() - 1; dim >= 0; --dim) {
    first += region.offset[dim] * stride;
    last += (region.offset[dim] + region.shape[dim] - 1) * stride;
    stride *= region.global_shape[dim];
  }
  return {first, last + 1};
}

std::string shape_fault(const Shape& shape, std::string_view what) {
  std::int64_t numel = 1;
  for (const std::int64_t size : shape.dims()) {
    if (size < 0 || __builtin_mul_overflow(numel, size, &numel))
      return text(what, " ", shape, " is not a tensor's shape");
  }
  return "";
}

/// The elements [begin, end) of `tensor.local`; for a block that is not the whole tensor, whole
/// rows.
CheckpointTensor cut(const CheckpointTensor& tensor, std::int64_t begin, std::int64_t end) {
  CheckpointTensor part = tensor;
  const bool whole = tensor.local.shape == tensor.global_shape;
  if (begin == 0 && end == tensor.local.shape.numel()) return part;
  part.local.data =
      tensor.local.as<std::byte>() + static_cast<std::size_t>(begin) * size_of(tensor.local.dtype);
  if (whole || tensor.local.shape.num_dims() == 1) {
    part.offset = {(whole ? 0 : tensor.offset[0]) + begin};
    part.local.shape = Shape{end - begin};
    return part;
  }
  std::vector<std::int64_t> dims(tensor.local.shape.dims().begin(),
                                 tensor.local.shape.dims().end());
  const std::int64_t row = tensor.local.shape.numel() / dims[0];
  part.offset[0] += begin / row;
  dims[0] = (end - begin) / row;
  part.local.shape = Shape(std::span<const std::int64_t>(dims));
  return part;
}

/// The element of `tensor` nearest to byte `byte` at which it may be cut; its ends are 0 and its
/// number of elements.
std::int64_t cut_near(const CheckpointTensor& tensor, std::int64_t byte) {
  constexpr std::int64_t granule = 4096;
  const auto element = static_cast<std::int64_t>(size_of(tensor.local.dtype));
  const std::int64_t numel = tensor.local.shape.numel();
  std::int64_t unit = granule / element;
  if (tensor.local.shape != tensor.global_shape && tensor.local.shape.num_dims() > 1) {
    unit = numel / tensor.local.shape[0];
  }
  const std::int64_t at = (byte / element + unit / 2) / unit * unit;
  if (at < unit) return 0;
  return at > numel - unit ? numel : at;
}

}  // namespace

std::string region_fault(const TensorRegion& region) {
  std::string fault = shape_fault(region.global_shape, "global_shape");
  if (fault.empty()) fault = shape_fault(region.shape, "shape");
  if (!fault.empty()) return fault;
  const Shape whole = region.is_slice() ? Shape{region.global_shape.numel()} : region.global_shape;
  const auto dims = static_cast<std::size_t>(whole.num_dims());
  if (region.shape.num_dims() != whole.num_dims() || region.offset.size() != dims) {
    return text("shape ", region.shape, " with ", region.offset.size(), " offsets is no part of ",
                region.global_shape);
  }
  for (int dim = 0; dim < whole.num_dims(); ++dim) {
    const std::int64_t offset = region.offset[static_cast<std::size_t>(dim)];
    if (offset < 0 || offset > whole[dim] || region.shape[dim] > whole[dim] - offset) {
      return text("offset ", offset, " and size ", region.shape[dim], " leave dimension ", dim,
                  " of ", whole);
    }
  }
  return "";
}

void for_each_overlap(const TensorRegion& a, const TensorRegion& b,
                      const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& copy) {
  const auto [a_first, a_end] = bounds(a);
  const auto [b_first, b_end] = bounds(b);
  if (std::max(a_first, b_first) >= std::min(a_end, b_end)) return;
  std::int64_t a_begin = 0, b_begin = 0,
               count = 0;  // the run found so far, to be joined with the next if it goes on
  Runs in_a(a), in_b(b);
  while (!in_a.done() && !in_b.done()) {
    const std::int64_t begin = std::max(in_a.begin(), in_b.begin());
    const std::int64_t end = std::min(in_a.end(), in_b.end());
    if (begin < end) {
      const std::int64_t a_now = in_a.local() + begin - in_a.begin();
      const std::int64_t b_now = in_b.local() + begin - in_b.begin();
      if (count == 0 || a_begin + count != a_now || b_begin + count != b_now) {
        if (count > 0) copy(a_begin, b_begin, count);
        a_begin = a_now;
        b_begin = b_now;
        count = 0;
      }
      count += end - begin;
    }
    (in_a.end() < in_b.end() ? in_a : in_b).next();
  }
  if (count > 0) copy(a_begin, b_begin, count);
}

bool overlap(const TensorRegion& a, const TensorRegion& b) {
  if (a.shape.numel() == 0 || b.shape.numel() == 0) return false;
  if (!a.is_slice() && !b.is_slice()) {
    for (int dim = 0; dim < a.shape.num_dims(); ++dim) {
      const auto i = static_cast<std::size_t>(dim);
      const bool apart =
          a.offset[i] + a.shape[dim] <= b.offset[i] || b.offset[i] + b.shape[dim] <= a.offset[i];
      if (apart) return false;
    }
    return true;
  }
  bool found = false;
  for_each_overlap(a, b, [&](std::int64_t, std::int64_t, std::int64_t) { found = true; });
  return found;
}

std::vector<CheckpointTensor> deal_out(const std::vector<CheckpointTensor>& tensors, int index,
                                       int count) {
  expect(index >= 0 && index < count, "deal_out: rank ", index, " of ", count);
  std::int64_t total = 0;
  for (const CheckpointTensor& tensor : tensors)
    total += static_cast<std::int64_t>(In(tensor.local).bytes());
  // total * index overflows only beyond 2^63 / ranks bytes on one rank.
  const std::int64_t begin = total * index / count;
  const std::int64_t end = total * (index + 1) / count;

  std::vector<CheckpointTensor> mine;
  std::int64_t at = 0;
  for (const CheckpointTensor& tensor : tensors) {
    const auto bytes = static_cast<std::int64_t>(In(tensor.local).bytes());
    const std::int64_t numel = tensor.local.shape.numel();
    if (numel == 0 && index == 0) mine.push_back(tensor);
    const std::int64_t from = begin <= at           ? 0
                              : begin >= at + bytes ? numel
                                                    : cut_near(tensor, begin - at);
    const std::int64_t to = end >= at + bytes ? numel : end <= at ? 0 : cut_near(tensor, end - at);
    if (from < to) mine.push_back(cut(tensor, from, to));
    at += bytes;
  }
  return mine;
}

}  // namespace boostr
