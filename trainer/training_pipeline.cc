#include "trainer/training_pipeline.h"

#include <utility>

#include "parallel/pipeline/warm_up.h"

namespace boostr {
namespace {

Tensor token_tensor(const std::vector<std::int32_t>& tokens, const Batch& batch) {
  return Tensor::of(Shape{batch.batch, batch.seq_len}, tokens);
}

Microbatch microbatch_of(const Batch& batch) {
  Microbatch microbatch{
      token_tensor(batch.input_ids, batch), token_tensor(batch.targets, batch), {}};
  if (!batch.documents.empty()) microbatch.documents = token_tensor(batch.documents, batch);
  return microbatch;
}

/// A batch in a model's parts.
class BatchChunks final : public PipelineChunks {
 public:
  BatchChunks(const Model& model, const Recomputation& recomputation, std::vector<ModelPart> parts,
              const Batch& batch, std::int64_t rows, double scale, Zero* zero)
      : model_(model),
        recomputation_(recomputation),
        parts_(std::move(parts)),
        batch_(batch),
        rows_(rows),
        scale_(scale),
        zero_(zero) {}

  Tensor forward(int chunk, int microbatch, const Tensor& input) override {
    const Microbatch tokens = microbatch_of(batch_.rows(microbatch * rows_, rows_));
    const ModelPart& part = parts_[static_cast<std::size_t>(chunk)];
    const Tensor stream = forward_part(model_, part, input, tokens, recomputation_);
    if (!part.ends) return stream;
    const Tensor loss = model_.loss(stream, tokens, scale_);
    loss_ += loss.item();
    return loss;
  }

  void expect_weight_gradients(int chunk, bool last) override {
    zero_->expect_backward(static_cast<std::size_t>(chunk), last);
  }

  double loss() const { return loss_; }

 private:
  const Model& model_;
  const Recomputation& recomputation_;
  std::vector<ModelPart> parts_;
  const Batch& batch_;
  std::int64_t rows_;  ///< of a microbatch
  double scale_;
  Zero* zero_;  ///< null where no gradients are asked for
  double loss_ = 0;
};

/// What a rank holds; the model's ends are separated where they run apart.
ModelShare share_of(Model& model, const std::vector<ModelPart>& held, bool is_cut) {
  ModelShare share;
  share.all = parameters(model);
  if (is_cut) model.separate_ends();
  for (const ModelPart& part : held) share.chunks.push_back(parameter_units(model, part));
  return share;
}

std::optional<Parameter> parameter_named(Model& model, const ModelPart& part,
                                         const std::string& name) {
  std::optional<Parameter> found;
  model.visit(part, [&](const std::string& visited, Parameter& parameter) {
    if (visited == name) found = parameter;
  });
  return found;
}

/// The parameter that the first and the last virtual stage share, if there is one.
std::optional<TiedParameter> tied_parameter(Model& model, const PipelineLayout& layout,
                                            Communicator& group) {
  const std::vector<ModelPart>& parts = layout.parts;
  if (parts.size() == 1) return std::nullopt;
  std::optional<TiedParameter::Copies> copies;
  model.visit(parts.front(), [&](const std::string& name, Parameter& first) {
    if (const auto last = parameter_named(model, parts.back(), name))
      copies = {first, *last, layout.schedule.place(0).rank,
                layout.schedule.place(static_cast<int>(parts.size()) - 1).rank};
  });
  if (!copies) return std::nullopt;
  if (group.rank() != copies->first_rank) copies->first = {};
  if (group.rank() != copies->last_rank) copies->last = {};
  return TiedParameter(group, *copies);
}

}  // namespace

Recomputation recomputation_of(const Recipe& recipe) {
  return {activation_checkpoint_named(recipe.activation_checkpoint.mode),
          layers_listed(recipe.activation_checkpoint.layers, recipe.model.llama.num_hidden_layers)};
}

TrainingPipeline::TrainingPipeline(const Recipe& recipe, Mesh& mesh, Model& model, DType dtype)
    : TrainingPipeline(
          recipe, mesh, model, dtype,
          pipeline_layout(
              recipe.parallelism, model.num_layers(), model.chain_costs(recipe.training.seq_len),
              static_cast<int>(recipe.training.global_batch_size /
                               (recipe.training.micro_batch_size * mesh.dp().size())))) {}

TrainingPipeline::TrainingPipeline(const Recipe& recipe, Mesh& mesh, Model& model, DType dtype,
                                   PipelineLayout layout)
    : section_(recipe.parallelism),
      mesh_(mesh),
      model_(model),
      recomputation_(recomputation_of(recipe)),
      rows_(recipe.training.micro_batch_size),
      layout_(std::move(layout)),
      forwards_(forwards_of(layout_.schedule)),
      held_(layout_.parts_of(mesh.pp().rank())),
      share_(share_of(model, held_, layout_.parts.size() > 1)),
      tied_(tied_parameter(model, layout_, mesh.pp())),
      runner_(mesh.pp(), {model.stream_shape(rows_, recipe.training.seq_len), dtype}) {}

std::optional<double> TrainingPipeline::train(const Batch& batch, double scale, Zero& zero,
                                              const std::function<bool()>& may_go_on) {
  BatchChunks chunks(model_, recomputation_, held_, batch, rows_, scale, &zero);
  if (may_go_on && warm_up_.empty()) warm_up_ = warm_up(layout_.schedule);
  const PipelineGate gate = may_go_on ? PipelineGate{warm_up_, may_go_on} : PipelineGate();
  if (!runner_.run(layout_.schedule, chunks, gate)) return std::nullopt;
  reduce_gradients(zero);
  // The first step warms up.
  if (++steps_ == 2 && section_.pipeline_parallel_schedule == "auto") search_again();
  return chunks.loss();
}

void TrainingPipeline::search_again() {
  static_assert(sizeof(StageCosts) % sizeof(double) == 0);
  std::vector<StageCosts> costs = mean_costs(layout_.schedule, runner_.gather_timeline());
  const auto numbers =
      static_cast<std::int64_t>(costs.size() * sizeof(StageCosts) / sizeof(double));
  mesh_.world().all_reduce(Out{costs.data(), DType::f64, Shape{numbers}}, ReduceOp::max).wait();
  layout_.costs = costs;
  layout_.schedule = schedule_for(section_, layout_, costs);
  forwards_ = forwards_of(layout_.schedule);
  warm_up_.clear();
  ++schedules_made_;
}

void TrainingPipeline::reduce_gradients(Zero& zero) const {
  zero.reduce_gradients();
  if (tied_) tied_->sum_gradients(zero);
}

double TrainingPipeline::evaluate(const Batch& batch) {
  BatchChunks chunks(model_, recomputation_, held_, batch, rows_, 1.0, nullptr);
  runner_.run(forwards_, chunks);
  return chunks.loss();
}

}  // namespace boostr
