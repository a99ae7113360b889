#include "trainer/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "models/build.h"
#include "trainer/agreement.h"

namespace boostr {

DType dtype_named(const std::string& name) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64})
    if (boostr::name(dtype) == name) return dtype;
  throw Error(ExitCode::usage,
              text("unknown precision.compute '", name, "'; choose f32, bf16, f16 or f64"));
}

namespace {

std::vector<std::string> names_of(const std::vector<Parameter>& parameters) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name());
  return names;
}

/// A ratio of infinities carries whatever sign the processor gives it, which nobody wants to read.
double without_sign_if_nan(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

}  // namespace

Trainer::Trainer(const Recipe& recipe, Mesh& mesh, const Dataset& dataset)
    : recipe_(recipe),
      mesh_(mesh),
      dataset_(dataset),
      compute_(dtype_named(recipe.precision.compute)),
      tp_(mesh.tp(), recipe.parallelism.sequence_parallel),
      model_(build_model(recipe.model, recipe.training.seq_len, compute_, tp_)),
      pipeline_(std::make_unique<TrainingPipeline>(recipe_, mesh, *model_, compute_)),
      lr_schedule_(recipe.lr_schedule, recipe.training.steps),
      loss_scaler_(compute_, recipe.precision.initial_loss_scale,
                   recipe.precision.loss_scale_window),
      loader_(std::make_unique<BatchLoader>(
          dataset, start_cursor(dataset.shares(), recipe.training.seed), rank_slice())),
      trusts_gradients_(recipe.training.max_norm <= 0) {
  require_groups_match(recipe.optimizer, names_of(pipeline_->share().all));
  zero_ = std::make_unique<Zero>(
      pipeline_->share(), DataParallelGroups{mesh.shard(), mesh.replicate()}, mesh.model(),
      ZeroOptions{recipe.parallelism.zero_stage, recipe.parallelism.bucket_bytes});
  optimizer_ =
      std::make_unique<Optimizer>(recipe.optimizer, *zero_, recipe.parallelism.offload_path);
  initialize();
}

RankSlice Trainer::rank_slice() const {
  return {recipe_.training.global_batch_size, mesh_.dp().rank(), mesh_.dp().size()};
}

void Trainer::initialize() {
  optimizer_->initialize(recipe_.training.seed);
  zero_->gather_parameters();
}

ReducedNumbers Trainer::sum_over_batch(double value) {
  return {mesh_.pp(), {all_ranks_sum(mesh_.dp(), value)}};
}

StepReport Trainer::step() {
  StepReport last;
  const Settled keep = [&](const StepReport& report) { last = report; };
  advance(next_batch(), keep);
  settle(keep);
  return last;
}

std::int64_t Trainer::advance(const Batch& batch, const Settled& settled) {
  const double tokens = all_ranks_sum(mesh_.dp(), static_cast<double>(batch.num_targets));
  StepReport report;
  report.step = step_ + 1;
  report.tokens = static_cast<std::int64_t>(tokens);
  report.loss_scale = expected_loss_scale();
  report.lr = recipe_.optimizer.lr * lr_schedule_.factor(report.step);
  pipeline_->share().zero_grads();
  // The mean over the global batch: every rank divides by the same count, so gradients only need to
  // be summed.
  const double targets = std::max(tokens, 1.0);
  std::function<bool()> may_go_on;
  if (open_) may_go_on = [&] { return stands(settled); };
  std::optional<double> loss =
      pipeline_->train(batch, report.loss_scale / targets, *zero_, may_go_on);
  if (!loss) {
    settle(settled);
    report.loss_scale = loss_scaler_.scale();
    loss = pipeline_->train(batch, report.loss_scale / targets, *zero_);
  }
  open(report, loss.value());
  if (!open_->updated) settle(settled);
  return report.tokens;
}

void Trainer::open(const StepReport& report, double loss) {
  step_ = report.step;
  ReducedNumbers total_loss = sum_over_batch(loss);
  ReducedNumbers squared_norms = optimizer_->squared_grad_norms(1.0 / report.loss_scale);
  open_.emplace(report, loss, std::move(total_loss), std::move(squared_norms));
  if (!recipe_.optimizer.post_validation || !trusts_gradients_) return;
  optimizer_->step_on_trial(report.step, lr_schedule_.factor(report.step), 1.0 / report.loss_scale);
  zero_->gather_parameters();
  open_->updated = true;
}

void Trainer::complete(OpenStep& step) {
  StepReport& report = step.report;
  report.loss = without_sign_if_nan(step.total_loss.wait().front() / report.loss_scale);
  report.grad_norm = without_sign_if_nan(total_norm(step.squared_norms.wait()));
}

std::optional<double> Trainer::clip_factor(const StepReport& report) const {
  if (!std::isfinite(report.loss) || !std::isfinite(report.grad_norm)) return std::nullopt;
  const double max_norm = recipe_.training.max_norm;
  return max_norm > 0 ? std::min(1.0, max_norm / (report.grad_norm + 1e-6)) : 1.0;
}

double Trainer::expected_loss_scale() const {
  LossScaler scaler = loss_scaler_;
  if (open_) scaler.update(true);
  return scaler.scale();
}

bool Trainer::stands(const Settled& settled) {
  complete(*open_);
  if (clip_factor(open_->report) != 1.0) return false;
  loss_scaler_.update(true);
  const StepReport report = open_->report;
  open_.reset();
  settled(report);
  return true;
}

void Trainer::settle(const Settled& settled) {
  if (!open_) return;
  if (open_->updated && stands(settled)) return;
  complete(*open_);
  StepReport report = open_->report;
  if (open_->updated) {
    optimizer_->undo();
    zero_->gather_parameters();
    report.redone = true;
  }
  apply(report, open_->loss);
  open_.reset();
  settled(report);
}

void Trainer::apply(StepReport& report, double loss) {
  const std::optional<double> clip = clip_factor(report);
  const bool scale_lowered = loss_scaler_.update(clip.has_value());
  trusts_gradients_ = clip == 1.0;
  if (clip) {
    optimizer_->step(report.step, lr_schedule_.factor(report.step), *clip / report.loss_scale);
    return zero_->gather_parameters();
  }
  report.skipped = scale_lowered || recipe_.training.non_finite == "skip";
  if (report.skipped) return;
  throw Error(ExitCode::numeric,
              text("step ", report.step, ": loss ", report.loss, ", gradient norm ",
                   report.grad_norm, " is not finite: ", source_of_non_finite(loss),
                   "; the weights are as before this step. Lower optimizer.lr, check the data, "
                   "or set training.non_finite: skip"));
}

std::string Trainer::source_of_non_finite(double loss) const {
  Communicator& world = mesh_.world();
  const double mine = std::isfinite(loss) ? -1 : world.rank();
  std::vector<double> ranks(static_cast<std::size_t>(world.size()));
  world
      .all_gather(Out{ranks.data(), DType::f64, Shape{world.size()}},
                  In{&mine, DType::f64, Shape{1}})
      .wait();
  std::string source;
  for (const double rank : ranks)
    if (rank >= 0 && int(rank) % mesh_.tp().size() == 0)
      source += text(source.empty() ? "the loss of rank " : ", ", rank);
  ReducedNumbers norms = optimizer_->squared_grad_norms(1.0);
  const std::vector<double>& squares = norms.wait();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < squares.size(); ++i)
    if (!std::isfinite(squares[i])) names.push_back(pipeline_->share().all[i].name());
  if (names.empty()) return source;
  return text(source, source.empty() ? "" : ", ", "the gradients of ", names.size(), " of ",
              squares.size(), " parameters, the first in the model ", names.front(), ", the last ",
              names.back());
}

ValidationReport Trainer::validate() {
  expect(!open_, "step ", step_, " is not settled");
  const std::int64_t batches =
      std::min(dataset_.num_validation_batches(recipe_.training.global_batch_size),
               recipe_.training.validation_batches);
  double loss = 0, tokens = 0;
  for (std::int64_t i = 0; i < batches; ++i) {
    const Batch batch = dataset_.validation_batch(i, rank_slice());
    loss += pipeline_->evaluate(batch);
    tokens += static_cast<double>(batch.num_targets);
  }
  loss = sum_over_batch(loss).wait().front();
  tokens = all_ranks_sum(mesh_.dp(), tokens);
  return {loss / std::max(tokens, 1.0), static_cast<std::int64_t>(tokens)};
}

std::int64_t Trainer::num_parameters() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : pipeline_->share().all) sum += parameter.global_shape().numel();
  return sum;
}

}  // namespace boostr
