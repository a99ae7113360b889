#include "parallel/pipeline/schedule.h"

#include <algorithm>
#include <array>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// How many virtual stages further the output of such a pass is wanted.
int direction(PassKind kind) {
  if (kind == PassKind::forward) return 1;
  return makes_input_gradient(kind) ? -1 : 0;
}

std::optional<StagePlace> beside(const Schedule& schedule, int rank, int chunk, int offset) {
  const int wanted = schedule.virtual_stage(rank, chunk) + offset;
  if (offset == 0 || wanted < 0 || wanted >= schedule.shape.virtual_stages()) return std::nullopt;
  return schedule.place(wanted);
}

}  // namespace

std::string_view name(PassKind kind) {
  constexpr std::array<std::string_view, 4> names = {"F", "BW", "B", "W"};
  return names[static_cast<std::size_t>(kind)];
}

std::string name(const Pass& pass, int chunks) {
  std::string words = text(name(pass.kind), pass.microbatch);
  if (chunks > 1) words += text(".", pass.chunk);
  return words;
}

int Schedule::virtual_stage(int rank, int chunk) const {
  const bool reversed = placement == Placement::v_shaped && chunk % 2 == 1;
  return chunk * shape.stages + (reversed ? shape.stages - 1 - rank : rank);
}

StagePlace Schedule::place(int virtual_stage) const {
  const int chunk = virtual_stage / shape.stages, along = virtual_stage % shape.stages;
  const bool reversed = placement == Placement::v_shaped && chunk % 2 == 1;
  return {.rank = reversed ? shape.stages - 1 - along : along, .chunk = chunk};
}

std::optional<StagePlace> Schedule::source(int rank, const Pass& pass) const {
  return beside(*this, rank, pass.chunk, -direction(pass.kind));
}

std::optional<StagePlace> Schedule::destination(int rank, const Pass& pass) const {
  return beside(*this, rank, pass.chunk, direction(pass.kind));
}

bool splits_backward(const Schedule& schedule) {
  return std::ranges::any_of(schedule.passes, [](const std::vector<Pass>& passes) {
    return std::ranges::any_of(
        passes, [](const Pass& pass) { return pass.kind == PassKind::backward_input; });
  });
}

}  // namespace boostr
