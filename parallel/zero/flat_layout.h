#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ops/parameter.h"
#include "parallel/comm/communicator.h"

namespace boostr {

/// Parameters laid end to end in one flat memory that is cut into equal pieces, one for each rank
/// of a group. Where there is more than one piece, parameters begin and pieces end at multiples of
/// norm_chunk, so that a piece holds whole chunks of each parameter: sums over chunks have the same
/// bits however many pieces there are. The rest is padding.
struct FlatLayout {
  struct Place {
    Parameter parameter;
    std::int64_t begin = 0;  ///< of its elements in the flat memory
  };
  std::vector<Place> places;
  int pieces = 1;
  std::int64_t piece_numel = 0;
  std::size_t chunk = 0;  ///< of the model, whose backward fills this

  std::int64_t numel() const { return piece_numel * pieces; }
  /// The piece that this rank of the group holds: an only piece is everybody's.
  int piece_of(int rank) const { return pieces == 1 ? 0 : rank; }
  /// The type of the parameters' values; they have one.
  DType dtype() const { return places.front().parameter.dtype(); }
};

/// Elements [begin, begin + numel) of a parameter, flattened, which lie in a piece from its element
/// `piece_begin` on.
struct FlatPart {
  Parameter parameter;
  std::size_t place = 0;  ///< of the parameter in the layout
  std::int64_t begin = 0;
  std::int64_t numel = 0;
  std::int64_t piece_begin = 0;
};

/// The layout of `parameters`, in their order.
FlatLayout flat_layout(std::span<const Parameter> parameters, int pieces);

/// What piece `index` holds, in the order of the layout.
std::vector<FlatPart> parts_of_piece(const FlatLayout& layout, int index);

/// The parameter's elements in the flat memory `whole` (of numel() elements), in its shape.
Tensor view_of(const FlatLayout::Place& place, const Tensor& whole);

/// The piece of such memory that this rank of the group holds, flat.
Tensor piece_of(const FlatLayout& layout, const Tensor& whole, int rank);

/// "gradients of bucket 3 of 13, first parameter to last": what an operation on layout `index` is
/// about.
Subject subject(std::string_view what, const std::vector<FlatLayout>& layouts, std::size_t index);

/// Parameters that are used together, in order of use.
using ParameterUnit = std::vector<Parameter>;

/// What a rank holds of a model.
struct ModelShare {
  ModelShare() = default;
  /// All of it, as one chunk.
  ModelShare(std::vector<ParameterUnit> units);  // NOLINT(google-explicit-constructor)

  std::vector<std::vector<ParameterUnit>> chunks;  ///< in order of use
  /// Every parameter of the whole model once, in order of use, also what other ranks hold: the same
  /// on all of them.
  std::vector<Parameter> all;

  /// Forgets the gradients of all chunks' parameters, without touching memory.
  void zero_grads() const;
  /// Which of `all` a parameter of the chunks is, or is a copy of.
  std::size_t index_of(const Parameter& parameter) const;
};

/// One layout after another for each unit of each chunk: units are never mixed, and a unit is cut
/// before the parameter that would take its gradients beyond `bucket_bytes`.
std::vector<FlatLayout> bucket_layouts(const ModelShare& share, int pieces,
                                       std::int64_t bucket_bytes);

}  // namespace boostr
