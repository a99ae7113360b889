#pragma once

#include <array>

#include "parallel/pipeline/kinds.h"

namespace boostr {

/// A model of the Zero Bubble paper (arXiv 2401.10241): the times that it measured, in ms, and the
/// bubble rates that it gives for them in its table 5.
struct PaperRow {
  const char* model;
  int stages, microbatches;
  StageCosts times;
  double one_f_one_b, interleaved, zb_h1, zb_h2, zb_2p, zb_v;
};

constexpr std::array<PaperRow, 6> paper_rows = {{
    {"1.5B", 8, 24, {18.522, 18.086, 9.337, .601}, .2431, .1055, .1585, .1083, .0433, .0728},
    {"1.5B", 8, 32, {18.513, 18.086, 9.331, .626}, .1985, .0818, .1242, .0837, .0039, .0563},
    {"1.5B", 8, 64, {18.546, 18.097, 9.321, .762}, .1240, .0443, .0674, .0444, .0026, .0307},
    {"14.6B", 16, 48, {11.347, 11.248, 8.132, .377}, .2552, .1104, .1397, .0672, .0066, .0518},
    {"14.6B", 16, 64, {11.307, 11.254, 8.101, .379}, .2082, .0852, .1088, .0516, .0054, .0396},
    {"14.6B", 16, 128, {11.325, 11.308, 8.109, .378}, .1251, .0445, .0576, .0266, .0028, .0203},
}};

/// A schedule for stages whose passes take 1 each.
inline Schedule schedule_of(std::string_view kind, const PipelineShape& shape) {
  return make_schedule(kind, {.shape = shape, .costs = even_costs({1, 1, 1, 0}, shape)});
}

inline Simulation simulated(std::string_view kind, const PipelineShape& shape,
                            const StageCosts& times) {
  const std::vector<StageCosts> costs = even_costs(times, shape);
  return simulate(make_schedule(kind, {.shape = shape, .costs = costs}), costs);
}

}  // namespace boostr
