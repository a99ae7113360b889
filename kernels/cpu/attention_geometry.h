#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/simd.h"
#include "kernels/kernel_table.h"

// What an attention call looks like: sizes, which keys a query sees, and panels of queries.
// Legend: B batch, S sequence, H query heads, G key/value heads, R = H / G heads that share keys, D
// head dimension.
namespace boostr::cpu::BOOSTR_ISA {

/// Sizes and strides of q, out [B, S, H, D] and k, v [B, S, G, D]; lse is [B, H, S].
struct AttentionShape {
  AttentionShape(In q, In k)
      : batch(q.shape[0]),
        sequence(q.shape[1]),
        heads(q.shape[2]),
        groups(k.shape[2]),
        shared(heads / groups),
        dim(q.shape[3]) {}

  /// First element of the rows of one head, which lie `row_stride` apart.
  std::int64_t query_offset(std::int64_t b, std::int64_t position, std::int64_t head) const {
    return ((b * sequence + position) * heads + head) * dim;
  }
  std::int64_t key_offset(std::int64_t b, std::int64_t position, std::int64_t group) const {
    return ((b * sequence + position) * groups + group) * dim;
  }
  std::int64_t lse_offset(std::int64_t b, std::int64_t position, std::int64_t head) const {
    return (b * heads + head) * sequence + position;
  }
  std::int64_t query_stride() const { return heads * dim; }
  std::int64_t key_stride() const { return groups * dim; }

  std::int64_t batch, sequence, heads, groups, shared, dim;
};

/// Which keys a query sees: always one interval, whose ends never move left as the query moves
/// right. Everything that skips work rests on that.
struct Visibility {
  std::int64_t keys_begin(std::int64_t query) const {
    std::int64_t begin = window > 0 ? std::max<std::int64_t>(0, query - window + 1) : 0;
    if (document_begin != nullptr) begin = std::max<std::int64_t>(begin, document_begin[query]);
    return begin;
  }
  std::int64_t keys_end(std::int64_t query) const {
    std::int64_t end = causal ? query + 1 : sequence;
    if (document_end != nullptr) end = std::min<std::int64_t>(end, document_end[query]);
    return end;
  }

  bool causal = true;
  std::int64_t window = 0;  ///< 0: none
  std::int64_t sequence = 0;
  const std::int32_t* document_begin =
      nullptr;  ///< per position, or null: first position of its document
  const std::int32_t* document_end = nullptr;  ///< and the one after its last
};

/// Queries of one head at consecutive positions: the columns of a register tile. `shared` panels at
/// the same positions follow each other, one per head of the group, then come the next positions.
struct Panel {
  /// Panel `index` of key/value head `group`.
  Panel(const AttentionShape& shape, const Visibility& visibility, std::int64_t width,
        std::int64_t group, std::int64_t index)
      : head(group * shape.shared + index % shape.shared),
        position(index / shape.shared * width),
        count(std::min(width, shape.sequence - position)),
        keys_begin(visibility.keys_begin(position)),
        keys_end(visibility.keys_end(position + count - 1)),
        common_begin(visibility.keys_begin(position + count - 1)),
        common_end(visibility.keys_end(position)) {}

  std::int64_t head;
  std::int64_t position, count;           ///< of the queries; the panel's other columns are zero
  std::int64_t keys_begin, keys_end;      ///< keys that some query sees
  std::int64_t common_begin, common_end;  ///< keys that every query sees; may be empty
};

/// How many panels of `width` queries one key/value head has.
inline std::int64_t panels_per_group(const AttentionShape& shape, std::int64_t width) {
  return (shape.sequence + width - 1) / width * shape.shared;
}

/// Hands out pieces of a workspace, aligned to cache lines. Made from a null base, it only counts.
class Workspace {
 public:
  explicit Workspace(std::byte* base) : base_(base) {}
  template <class T>
  T* take(std::int64_t count) {
    T* piece = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + bytes_);
    bytes_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return piece;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* base_;
  std::size_t bytes_ = 0;
};

/// Bytes that `lay_out(workspace)` takes.
template <class LayOut>
std::size_t workspace_bytes(LayOut&& lay_out) {
  Workspace counter(nullptr);
  static_cast<void>(lay_out(counter));
  return counter.bytes();
}

/// Begin and end of the document around every position, [B, S] each; null without documents.
struct DocumentBounds {
  DocumentBounds(Workspace& workspace, In documents)
      : begin(documents ? workspace.take<std::int32_t>(documents.shape.numel()) : nullptr),
        end(documents ? workspace.take<std::int32_t>(documents.shape.numel()) : nullptr) {}

  /// Fills the bounds from ids that never decrease along a sequence.
  void fill(In documents) const {
    if (!documents) return;
    const std::int64_t sequence = documents.shape.back();
    for (std::int64_t row = 0; row < documents.shape.rows(); ++row) {
      const std::int32_t* ids = documents.as<std::int32_t>() + row * sequence;
      for (std::int64_t first = 0; first < sequence;) {
        std::int64_t last = first + 1;
        while (last < sequence && ids[last] == ids[first]) ++last;
        std::fill(begin + row * sequence + first, begin + row * sequence + last,
                  std::int32_t(first));
        std::fill(end + row * sequence + first, end + row * sequence + last, std::int32_t(last));
        first = last;
      }
    }
  }
  /// What queries of batch row b see.
  Visibility visibility(AttentionOptions options, std::int64_t b, std::int64_t sequence) const {
    return {.causal = options.causal,
            .window = options.window,
            .sequence = sequence,
            .document_begin = begin == nullptr ? nullptr : begin + b * sequence,
            .document_end = end == nullptr ? nullptr : end + b * sequence};
  }

  std::int32_t* begin;
  std::int32_t* end;
};

}  // namespace boostr::cpu::BOOSTR_ISA
