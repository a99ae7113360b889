#include "parallel/zero/flat_layout.h"

#include <algorithm>

#include "ops/norm.h"

namespace boostr {
namespace {

/// Where there is one piece, parameters begin at full vector registers and cache lines.
constexpr std::int64_t alignment = 16;

std::int64_t round_up(std::int64_t numel, std::int64_t unit) {
  return (numel + unit - 1) / unit * unit;
}

std::int64_t unit_of(int pieces) { return pieces == 1 ? alignment : norm_chunk; }

}  // namespace

FlatLayout flat_layout(std::span<const Parameter> parameters, int pieces) {
  expect(!parameters.empty(), "flat_layout: no parameters");
  FlatLayout layout;
  layout.pieces = pieces;
  std::int64_t end = 0;
  for (const Parameter& parameter : parameters) {
    expect(parameter.dtype() == parameters.front().dtype(), "flat_layout: '", parameter.name(),
           "' has another type than '", parameters.front().name(), "'");
    layout.places.push_back({parameter, end});
    end += round_up(parameter.numel(), unit_of(pieces));
  }
  layout.piece_numel = round_up((end + pieces - 1) / pieces, unit_of(pieces));
  return layout;
}

std::vector<FlatPart> parts_of_piece(const FlatLayout& layout, int index) {
  const std::int64_t first = layout.piece_numel * index, last = first + layout.piece_numel;
  std::vector<FlatPart> parts;
  for (std::size_t i = 0; i < layout.places.size(); ++i) {
    const FlatLayout::Place& place = layout.places[i];
    const std::int64_t begin = std::max(first, place.begin);
    const std::int64_t end = std::min(last, place.begin + place.parameter.numel());
    if (begin < end)
      parts.push_back({place.parameter, i, begin - place.begin, end - begin, begin - first});
  }
  return parts;
}

Tensor view_of(const FlatLayout::Place& place, const Tensor& whole) {
  return whole.rows(place.begin, place.parameter.numel()).view(place.parameter.shape());
}

Tensor piece_of(const FlatLayout& layout, const Tensor& whole, int rank) {
  return whole.rows(layout.piece_of(rank) * layout.piece_numel, layout.piece_numel);
}

Subject subject(std::string_view what, const std::vector<FlatLayout>& layouts, std::size_t index) {
  const std::vector<FlatLayout::Place>& places = layouts[index].places;
  return std::make_shared<const std::string>(text(
      what, " of bucket ", index + 1, " of ", layouts.size(), ", ", places.front().parameter.name(),
      places.size() > 1 ? " to " : "", places.size() > 1 ? places.back().parameter.name() : ""));
}

ModelShare::ModelShare(std::vector<ParameterUnit> units) : chunks{std::move(units)} {
  for (const ParameterUnit& unit : chunks.front()) all.insert(all.end(), unit.begin(), unit.end());
}

void ModelShare::zero_grads() const {
  for (const std::vector<ParameterUnit>& units : chunks)
    for (const ParameterUnit& unit : units)
      for (Parameter parameter : unit) parameter.zero_grad();
}

std::size_t ModelShare::index_of(const Parameter& parameter) const {
  auto found = std::ranges::find(all, parameter);
  if (found == all.end()) found = std::ranges::find(all, parameter.name(), &Parameter::name);
  expect(found != all.end(), "'", parameter.name(), "' is no parameter of the model");
  return static_cast<std::size_t>(found - all.begin());
}

namespace {

/// Appends the layouts of a unit.
void lay_out(std::vector<FlatLayout>& layouts, const ParameterUnit& unit, int pieces,
             std::int64_t bucket_bytes) {
  std::vector<Parameter> bucket;
  std::int64_t bytes = 0;
  const auto close = [&] {
    if (!bucket.empty()) layouts.push_back(flat_layout(bucket, pieces));
    bucket.clear();
    bytes = 0;
  };
  for (const Parameter& parameter : unit) {
    const std::int64_t size =
        parameter.numel() * static_cast<std::int64_t>(size_of(accumulator_of(parameter.dtype())));
    if (bytes + size > bucket_bytes) close();
    bucket.push_back(parameter);
    bytes += size;
  }
  close();
}

}  // namespace

std::vector<FlatLayout> bucket_layouts(const ModelShare& share, int pieces,
                                       std::int64_t bucket_bytes) {
  std::vector<FlatLayout> layouts;
  for (std::size_t chunk = 0; chunk < share.chunks.size(); ++chunk) {
    const std::size_t first = layouts.size();
    for (const ParameterUnit& unit : share.chunks[chunk])
      lay_out(layouts, unit, pieces, bucket_bytes);
    for (FlatLayout& layout : std::span(layouts).subspan(first)) layout.chunk = chunk;
  }
  return layouts;
}

}  // namespace boostr
