#include "trainer/plan/plan_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "trainer/metrics/console.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

using Json = nlohmann::ordered_json;

Json bytes_json(const BytesByUse& bytes) {
  Json object = Json::object();
  for (const MemoryUse use : memory_uses)
    object[std::string(name(use))] = std::llround(bytes[static_cast<std::size_t>(use)]);
  return object;
}

Json axes_json(const ByAxis& axes) { return {{"dp", axes.dp}, {"tp", axes.tp}, {"pp", axes.pp}}; }

Json mesh_json(const MeshDegrees& mesh) {
  return {{"pipeline_parallel_degree", mesh.pipeline},
          {"data_parallel_replicate_degree", mesh.replicate},
          {"data_parallel_shard_degree", mesh.shard},
          {"tensor_parallel_degree", mesh.tensor}};
}

/// The most of any rank, along each axis.
ByAxis most_of(const Plan& plan, ByAxis StagePlan::*what) {
  ByAxis most;
  for (const StagePlan& stage : plan.stages) {
    most.dp = std::max(most.dp, (stage.*what).dp);
    most.tp = std::max(most.tp, (stage.*what).tp);
    most.pp = std::max(most.pp, (stage.*what).pp);
  }
  return most;
}

/// Of what the devices could do at most in the time of a step; 0 where that is not known.
double model_flops_utilization(const Plan& plan, const DeviceModel& device) {
  const auto peak = device.flops.find(dtype_named(plan.recipe.precision.compute));
  if (peak == device.flops.end()) return 0;
  return plan.model_flops / (plan.step_seconds * peak->second * plan.ranks);
}

std::string words(const ModelPart& part) {
  std::string layers;
  if (part.num_layers() == 1) layers = fmt::format("layer {}", part.first_layer);
  if (part.num_layers() > 1)
    layers = fmt::format("layers {} to {}", part.first_layer, part.end_layer - 1);
  std::string text = part.embeds ? "embedding" : "";
  for (const std::string& more : {layers, std::string(part.ends ? "head" : "")})
    if (!more.empty()) text += (text.empty() ? "" : ", ") + more;
  return text;
}

std::string words(const std::vector<ModelPart>& parts) {
  std::string text;
  for (const ModelPart& part : parts) text += (text.empty() ? "" : " | ") + words(part);
  return text;
}

Json stage_json(const StagePlan& stage) {
  return {{"holds", words(stage.parts)},
          {"bytes_per_rank", bytes_json(stage.bytes)},
          {"total_bytes_per_rank", std::llround(stage.device_bytes)},
          {"kernel_flops_per_rank", stage.kernel_flops},
          {"kernel_seconds", stage.kernel_seconds},
          {"wire_bytes_per_rank", axes_json(stage.wire_bytes)},
          {"wire_seconds", axes_json(stage.wire_seconds)}};
}

std::string seconds_text(double seconds) {
  return seconds < 1 ? fmt::format("{:.1f} ms", seconds * 1e3) : fmt::format("{:.2f} s", seconds);
}

/// A row for each stage and a column for each use that any of them has.
std::string memory_table(const Plan& plan) {
  std::vector<MemoryUse> uses;
  for (const MemoryUse use : memory_uses)
    if (plan.bytes[static_cast<std::size_t>(use)] > 0) uses.push_back(use);
  std::string table = fmt::format("{:>5}", "stage");
  for (const MemoryUse use : uses) table += fmt::format(" {:>13}", name(use));
  table += fmt::format(" {:>11}  {}\n", "all", "of the model");
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    table += fmt::format("{:>5}", i);
    for (const MemoryUse use : uses)
      table += fmt::format(" {:>13}", binary_size(stage.bytes[static_cast<std::size_t>(use)]));
    table += fmt::format(" {:>11}  {}\n", binary_size(stage.device_bytes), words(stage.parts));
  }
  return table;
}

std::string mesh_words(const Plan& plan) {
  const MeshDegrees& mesh = plan.mesh;
  return fmt::format("pipeline {} x replicate {} x shard {} x tensor {}, zero_stage {}",
                     mesh.pipeline, mesh.replicate, mesh.shard, mesh.tensor,
                     plan.recipe.parallelism.zero_stage);
}

std::string time_words(const Plan& plan, const DeviceModel& device) {
  const StagePlan& slowest = *std::ranges::max_element(
      plan.stages, {}, [](const StagePlan& stage) { return stage.kernel_seconds; });
  const ByAxis wire = most_of(plan, &StagePlan::wire_seconds);
  const double utilization = model_flops_utilization(plan, device);
  return fmt::format(
      "step      {} | kernels {} | collectives dp {}, tp {}, pp {}{} | bubble {:.1f} %\n"
      "speed     {} tokens/s | MFU {:.1f} % | {:.3g} FLOPs a step, {:.3g} with what a rank "
      "computes "
      "twice, of all ranks\n",
      seconds_text(plan.step_seconds), seconds_text(slowest.kernel_seconds), seconds_text(wire.dp),
      seconds_text(wire.tp), seconds_text(wire.pp),
      device.overlaps ? " (dp beside the backward)" : "", plan.bubble_rate * 100,
      grouped(std::llround(plan.tokens_per_second())), utilization * 100, plan.model_flops,
      slowest.kernel_flops * plan.ranks);
}

Json layout_json(const PlannedLayout& layout) {
  return {{"overrides", layout.overrides},
          {"step_seconds", layout.plan.step_seconds},
          {"total_bytes_per_rank", std::llround(layout.plan.most_bytes)},
          {"bubble_rate", layout.plan.bubble_rate}};
}

std::string words(const PlannedLayout& layout) {
  const std::string changes =
      layout.overrides.empty() ? "as it is" : fmt::format("{}", fmt::join(layout.overrides, " "));
  return fmt::format("{:>10} {:>9}  {}\n", seconds_text(layout.plan.step_seconds),
                     binary_size(layout.plan.most_bytes), changes);
}

/// What would fit, and what would be faster.
std::string layouts_words(const PlanReport& report) {
  std::string lines;
  if (report.nearest) lines += "\nThe nearest layout that fits:\n" + words(*report.nearest);
  if (!report.plan.fits() && !report.nearest)
    lines += "\nNo layout of so many ranks that was tried fits.\n";
  if (!report.best) return lines;
  lines += report.best->empty() ? "" : "\nThe fastest that fit:\n";
  for (const PlannedLayout& layout : *report.best) lines += words(layout);
  return lines;
}

}  // namespace

std::string plan_json(const PlanReport& report, const DeviceModel& device) {
  const Plan& plan = report.plan;
  Json object = {{"device", device.name},
                 {"ranks", plan.ranks},
                 {"mesh", mesh_json(plan.mesh)},
                 {"parameters", plan.parameters},
                 {"bytes_per_rank", bytes_json(plan.bytes)},
                 {"total_bytes_per_rank", std::llround(plan.most_bytes)},
                 {"device_bytes", std::llround(plan.memory_bytes)},
                 {"fits", plan.fits()},
                 {"microbatches", plan.microbatches},
                 {"bubble_rate", plan.bubble_rate},
                 {"flops_per_step", plan.model_flops},
                 {"wire_bytes_per_rank", axes_json(most_of(plan, &StagePlan::wire_bytes))},
                 {"step_seconds", plan.step_seconds},
                 {"tokens_per_second", plan.tokens_per_second()},
                 {"mfu", model_flops_utilization(plan, device)},
                 {"stages", Json::array()}};
  for (const StagePlan& stage : plan.stages) object["stages"].push_back(stage_json(stage));
  if (report.process_bytes > 0)
    object["process_bytes_per_rank"] = std::llround(report.process_bytes);
  if (report.nearest) object["nearest"] = layout_json(*report.nearest);
  if (report.best) {
    object["layouts"] = Json::array();
    for (const PlannedLayout& layout : *report.best)
      object["layouts"].push_back(layout_json(layout));
  }
  return object.dump() + "\n";
}

std::string plan_text(const PlanReport& report, const DeviceModel& device) {
  const Plan& plan = report.plan;
  const TrainingSection& training = plan.recipe.training;
  const ByAxis wire = most_of(plan, &StagePlan::wire_bytes);
  const std::string verdict =
      plan.fits() ? fmt::format("fits: {} of {}", binary_size(plan.most_bytes),
                                binary_size(plan.memory_bytes))
                  : fmt::format("does not fit: {} are needed, {} are there",
                                binary_size(plan.most_bytes), binary_size(plan.memory_bytes));
  const std::string process =
      report.process_bytes > 0 ? fmt::format(" | a process {}", binary_size(report.process_bytes))
                               : "";
  return fmt::format(
             "model     {} with {}, {}\n"
             "mesh      {} = {}\n"
             "device    {} ({})\n"
             "batch     {} x {} tokens, on each data-parallel rank {} microbatches of {}\n\n"
             "A rank holds at most:\n{}\n"
             "memory    {}{}\n"
             "wire      a rank sends in a step: dp {}, tp {}, pp {}\n",
             plan.recipe.model.type, counted(plan.parameters, "parameter"),
             plan.recipe.precision.compute, mesh_words(plan), counted(plan.ranks, "rank"),
             device.name, device.source, grouped(training.global_batch_size),
             grouped(training.seq_len), grouped(plan.microbatches), training.micro_batch_size,
             memory_table(plan), verdict, process, binary_size(wire.dp), binary_size(wire.tp),
             binary_size(wire.pp)) +
         time_words(plan, device) + layouts_words(report);
}

}  // namespace boostr
