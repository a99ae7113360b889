#include "trainer/pipeline_layout.h"

#include <string_view>

#include "parallel/pipeline/csv.h"
#include "parallel/pipeline/kinds.h"
#include "parallel/pipeline/validate.h"

namespace boostr {
namespace {

bool is_file(std::string_view schedule) { return schedule.ends_with(".csv"); }

/// What a file holds must be for this mesh and batch.
Schedule schedule_in_file(const std::string& path, int stages, int microbatches, int chunks) {
  const Schedule schedule = read_schedule_csv(path);
  const auto check = [&](std::string_view what, int in_file, int wanted) {
    require(in_file == wanted, ExitCode::usage, path, ": a schedule of ", in_file, ' ', what,
            ", but the recipe has ", wanted);
  };
  check("stages (lines)", schedule.shape.stages, stages);
  check("microbatches", schedule.shape.microbatches, microbatches);
  if (chunks > 0) check("chunks per stage", schedule.shape.chunks, chunks);
  return schedule;
}

PipelineShape shape_of(const ParallelismSection& section, int microbatches) {
  const int chunks = section.pipeline_parallel_chunks;
  return {.stages = section.pipeline_parallel_degree,
          .microbatches = microbatches,
          .chunks =
              chunks > 0 ? chunks : schedule_kind(section.pipeline_parallel_schedule).least_chunks};
}

std::vector<StageCosts> estimated_costs(const std::vector<ModelPart>& parts,
                                        const ChainCosts& links) {
  std::vector<StageCosts> costs;
  for (const ModelPart& part : parts) {
    const double third = ((part.embeds ? links.embed : 0) + (part.ends ? links.head : 0) +
                          links.layer * static_cast<double>(part.num_layers())) /
                         3;
    costs.push_back({.forward = third, .backward_input = third, .backward_weight = third});
  }
  return costs;
}

}  // namespace

std::vector<ModelPart> PipelineLayout::parts_of(int rank) const {
  std::vector<ModelPart> held;
  for (int chunk = 0; chunk < schedule.shape.chunks; ++chunk)
    held.push_back(parts[static_cast<std::size_t>(schedule.virtual_stage(rank, chunk))]);
  return held;
}

PipelineLayout pipeline_layout(const ParallelismSection& section, std::int64_t num_layers,
                               const ChainCosts& links, int microbatches) {
  const std::string& kind = section.pipeline_parallel_schedule;
  PipelineLayout layout;
  if (is_file(kind)) {
    layout.schedule = schedule_in_file(kind, section.pipeline_parallel_degree, microbatches,
                                       section.pipeline_parallel_chunks);
    layout.parts = cut_chain(num_layers, layout.schedule.shape.virtual_stages(), links);
    layout.costs = estimated_costs(layout.parts, links);
    return layout;
  }
  const PipelineShape shape = shape_of(section, microbatches);
  require_fits(schedule_kind(kind), shape);
  layout.parts = cut_chain(num_layers, shape.virtual_stages(), links);
  layout.costs = estimated_costs(layout.parts, links);
  layout.schedule = make_schedule(kind, {.shape = shape,
                                         .costs = layout.costs,
                                         .memory_limit = section.pipeline_parallel_memory_limit});
  validate(layout.schedule);
  return layout;
}

Schedule schedule_for(const ParallelismSection& section, const PipelineLayout& layout,
                      const std::vector<StageCosts>& costs) {
  const Schedule found =
      make_schedule("auto", {.shape = layout.schedule.shape,
                             .costs = costs,
                             .memory_limit = section.pipeline_parallel_memory_limit});
  return found.placement == layout.schedule.placement ? found : layout.schedule;
}

std::string chunks_problem(const ParallelismSection& section) {
  if (is_file(section.pipeline_parallel_schedule)) return {};
  try {
    require_fits(schedule_kind(section.pipeline_parallel_schedule), shape_of(section, 1));
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

std::string pipeline_problem(const ParallelismSection& section, std::int64_t num_layers,
                             int microbatches) {
  ParallelismSection checked = section;
  // 1f1b keeps within its own memory; only a smaller limit, or chunks, make auto fail.
  const bool sure =
      checked.pipeline_parallel_memory_limit >= 2 ||
      (checked.pipeline_parallel_memory_limit >= 1 && checked.pipeline_parallel_chunks <= 1);
  if (checked.pipeline_parallel_schedule == "auto" && sure)
    checked.pipeline_parallel_schedule =
        checked.pipeline_parallel_chunks > 1 ? "interleaved_1f1b" : "1f1b";
  try {
    (void)pipeline_layout(checked, num_layers, {}, microbatches);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

Schedule forwards_of(const Schedule& schedule) {
  Schedule forwards{schedule.shape, schedule.placement, {}};
  for (const std::vector<Pass>& passes : schedule.passes) {
    std::vector<Pass>& kept = forwards.passes.emplace_back();
    for (const Pass& pass : passes)
      if (pass.kind == PassKind::forward) kept.push_back(pass);
  }
  return forwards;
}

}  // namespace boostr
