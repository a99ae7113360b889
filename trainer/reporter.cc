#include "trainer/reporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/runtime/memory_ledger.h"
#include "trainer/agreement.h"
#include "trainer/checkpoint/file_ops.h"
#include "trainer/metrics/loss_picture.h"

namespace boostr {
namespace {

/// Steps of a process after which its memory is warm and no step should ask the system for more.
constexpr std::int64_t warm_up_steps = 1;

}  // namespace

Reporter::Reporter(const Recipe& recipe, Communicator& world, const Setup& setup)
    : recipe_(recipe),
      world_(world),
      setup_(setup),
      console_(recipe.training.steps, world.rank() == 0, setup.terminal),
      throughput_(setup.flops_per_token, setup.peak_flops) {
  if (world.rank() != 0) return;
  log_ = std::make_unique<MetricsLog>(recipe.output + "/metrics.jsonl", setup.resumed_step);
  if (recipe.metrics.tensorboard)
    tensorboard_ =
        std::make_unique<TensorBoardWriter>(recipe.output + "/tensorboard", log_->history());
  if (!log_->history().rows.empty()) {
    first_loss_ = log_->history().rows.front().loss;
    first_step_ = log_->history().rows.front().step;
  }
}

void Reporter::event(const std::string& name, std::int64_t step, const std::string& json_object) {
  if (log_) log_->write_event(name, step, json_object);
}

RankTimes Reporter::times_until_now(const PipelineRunner::Times& pipeline) const {
  return {.held_up = world_.held_up_seconds(),
          .pipeline_span = pipeline.span,
          .pipeline_work = pipeline.work,
          .pipeline_idle = pipeline.idle};
}

void Reporter::begin_step(const PipelineRunner::Times& pipeline) {
  if (throughput_.begin_step()) at_begin_ = times_until_now(pipeline);
}

MetricsRow Reporter::make_row(const StepReport& report) {
  const auto memory =
      static_cast<std::int64_t>(all_ranks_max(world_, static_cast<double>(peak_memory_bytes())));
  const Throughput::Rates rates = throughput_.take();
  const auto steps = static_cast<double>(rates.steps);
  window_.wall = steps * rates.seconds_per_step;
  const TimesOfRanks times = gather_times(world_, window_);
  window_ = {};
  MetricsRow row{.step = report.step,
                 .loss = report.loss,
                 .grad_norm = report.grad_norm,
                 .lr = report.lr,
                 .tokens_per_second = rates.tokens_per_second,
                 .mfu = rates.mfu,
                 .memory_bytes = memory,
                 .time = unix_time(),
                 .loss_scale = report.loss_scale,
                 .step_seconds = rates.seconds_per_step,
                 .bubble_rate = times.bubble_rate,
                 .exposed_communication = times.exposed_communication,
                 .slowest_rank = times.slowest()};
  for (const double busy : times.busy) row.rank_seconds.push_back(busy / steps);
  return row;
}

void Reporter::end_step(const StepReport& report, const PipelineRunner::Times& pipeline,
                        bool logged) {
  throughput_.end_step(report.tokens);
  const RankTimes now = times_until_now(pipeline);
  window_ += now - at_begin_;
  at_begin_ = now;
  if (first_step_ == 0) {
    first_step_ = report.step;
    first_loss_ = report.loss;
  }
  last_step_ = report.step;
  last_losses_.push_back(report.loss);
  const std::int64_t kept = std::clamp<std::int64_t>(recipe_.training.steps / 10, 1, 100);
  if (static_cast<std::int64_t>(last_losses_.size()) > kept) last_losses_.pop_front();
  if (!next_steady_step_) next_steady_step_ = report.step + warm_up_steps;
  if (report.step <= *next_steady_step_) system_allocations_ = allocator_stats().system_allocations;
  if (report.skipped) {
    event("skipped", report.step,
          fmt::format(R"({{"loss_scale": {}}})", json_number(report.loss_scale)));
    say(fmt::format("step {}: a gradient is not finite; the update was skipped (loss scale {})",
                    report.step, report.loss_scale));
  }
  if (report.redone) event("update_redone", report.step, "{}");
  if (!logged) return console_.advance(report.step, report.loss, eta(report.step));
  const MetricsRow row = make_row(report);
  if (!log_) return;
  log_->write(row);
  if (tensorboard_) tensorboard_->write(row);
  console_.step(row, eta(report.step));
}

void Reporter::memory(std::int64_t step) {
  const MemoryLedger& ledger = *MemoryLedger::of_this_thread();
  std::string json;
  memory_.clear();
  for (const MemoryUse use : memory_uses) {
    const double bytes = all_ranks_max(world_, static_cast<double>(ledger.of(use).peak));
    json += fmt::format(R"({}"{}": {})", json.empty() ? "" : ", ", name(use), std::llround(bytes));
    if (bytes > 0)
      memory_ += fmt::format("{}{} {}", memory_.empty() ? "" : ", ", name(use), binary_size(bytes));
  }
  event("memory", step, "{" + json + "}");
}

double Reporter::eta(std::int64_t step) const {
  return throughput_.mean_step_seconds() * static_cast<double>(recipe_.training.steps - step);
}

void Reporter::validation(std::int64_t step, const ValidationReport& report) {
  if (!log_) return;
  const ValidationRow row{step, report.loss, std::exp(report.loss), report.tokens, unix_time()};
  log_->write(row);
  if (tensorboard_) tensorboard_->write(row);
  say(fmt::format("step {}/{} | validation loss {:.4f} | perplexity {:.3f} | {} tokens", step,
                  recipe_.training.steps, row.loss, row.perplexity, grouped(row.tokens)));
  draw_picture();
}

void Reporter::draw_picture() {
  if (!log_) return;
  const std::optional<double> entropy =
      setup_.unigram_entropy > 0 ? std::optional(setup_.unigram_entropy) : std::nullopt;
  write_file_atomically(recipe_.output + "/loss.svg",
                        loss_svg(log_->history(), recipe_.output, entropy), FileOps());
}

void Reporter::summary(const std::string& resume_command, std::int64_t last_checkpoint) {
  memory(last_step_);
  if (!log_) return;
  const double reached = std::accumulate(last_losses_.begin(), last_losses_.end(), 0.0) /
                         static_cast<double>(last_losses_.size());
  const std::uint64_t allocations = allocator_stats().system_allocations - system_allocations_;
  event(
      "end", last_step_,
      fmt::format(
          R"({{"loss": {}, "tokens_per_second": {}, "steady_system_allocations": {}, "time": {}}})",
          json_number(reached), json_number(throughput_.mean_tokens_per_second()), allocations,
          json_number(unix_time())));
  say("");
  say(fmt::format("loss        {:.4f} at step {} -> {:.4f}, the mean of the last {}", first_loss_,
                  first_step_, reached, counted(std::ssize(last_losses_), "step")));
  if (setup_.unigram_entropy > 0)
    say(
        fmt::format("text        {:.4f} nats per token is its unigram entropy: what counting "
                    "letters alone reaches",
                    setup_.unigram_entropy));
  say(fmt::format("speed       {} tokens/s; {} allocations from the system in steady steps",
                  grouped(std::llround(throughput_.mean_tokens_per_second())), allocations));
  if (last_checkpoint > 0)
    say(fmt::format("checkpoint  {}/checkpoints/step-{:06}", recipe_.output, last_checkpoint));
  say("memory      " + memory_);
  say(fmt::format("metrics     {}/metrics.jsonl", recipe_.output));
  say(fmt::format("picture     {}/loss.svg", recipe_.output));
  if (last_checkpoint > 0 && !resume_command.empty())
    say(fmt::format("continue    {}", resume_command));
}

}  // namespace boostr
