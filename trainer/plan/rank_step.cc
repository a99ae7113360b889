#include "trainer/plan/rank_step.h"

#include <iterator>

#include "models/build.h"
#include "trainer/agreement.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

std::vector<std::int64_t> distinct_microbatches(std::int64_t count) {
  if (count == 1) return {1};
  if (count == 2) return {1, 1};
  return {1, count - 2, 1};
}

}  // namespace

RankStep::RankStep(const RankRequest& request, Communicator& world)
    : request_(request),
      recipe_(request.recipe),
      world_(world),
      mesh_(world, request.degrees),
      dtype_(dtype_named(recipe_.precision.compute)),
      tp_(mesh_.tp(), recipe_.parallelism.sequence_parallel),
      model_(build_model(recipe_.model, recipe_.training.seq_len, dtype_, tp_)),
      parts_(request.parts),
      microbatches_(distinct_microbatches(recipe_.training.global_batch_size /
                                          (recipe_.training.micro_batch_size *
                                           request.degrees.replicate * request.degrees.shard))) {
  for (ModelPart& part : parts_)
    if (part == ModelPart{}) part = model_->whole();
  std::vector<std::vector<Parameter>> units;
  for (const ModelPart& part : parts_)
    std::ranges::move(parameter_units(*model_, part), std::back_inserter(units));
  for (const std::vector<Parameter>& unit : units)
    parameters_.insert(parameters_.end(), unit.begin(), unit.end());
  zero_ = std::make_unique<Zero>(
      units, DataParallelGroups{mesh_.shard(), mesh_.replicate()}, mesh_.tp(),
      ZeroOptions{recipe_.parallelism.zero_stage, recipe_.parallelism.bucket_bytes});
  optimizer_ = std::make_unique<Optimizer>(recipe_.optimizer, *zero_);
  for (const Optimizer::SliceState& state : optimizer_->state())
    initialize(state.master, state.slice.parameter, state.slice.begin, recipe_.training.seed);
  optimizer_->write_parameters();
  zero_->gather_parameters();
}

std::int64_t RankStep::num_parameters() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : boostr::parameters(*model_))
    sum += parameter.global_shape().numel();
  return sum;
}

std::int64_t RankStep::checkpoint_bytes() const {
  if (recipe_.checkpoint.interval == 0 || !recipe_.checkpoint.async) return 0;
  std::int64_t bytes = 0;
  for (const Optimizer::SliceState& state : optimizer_->state()) {
    if (state.slice.parameter.shard().copy != 0) continue;
    for (const Tensor& tensor : {state.master, state.exp_avg, state.exp_avg_sq})
      if (tensor.defined())
        bytes += tensor.numel() * static_cast<std::int64_t>(size_of(tensor.dtype()));
  }
  return bytes / zero_->owners().count;  // of what several ranks own alike each writes its share
}

double RankStep::message_bytes() const {
  return static_cast<double>(stream_shape().numel()) * static_cast<double>(size_of(dtype_));
}

void RankStep::step(const Watch& watch) {
  for (Parameter& parameter : parameters_) parameter.zero_grad();
  for (std::size_t i = 0; i < microbatches_.size(); ++i) microbatch(i, watch);
  watch({Piece::update, 0, 0}, [&] { update(); });
}

Shape RankStep::stream_shape() const {
  const TrainingSection& training = recipe_.training;
  const std::int64_t width = recipe_.model.llama.hidden_size;
  if (recipe_.parallelism.sequence_parallel && tp_.size() > 1)
    return {training.micro_batch_size * training.seq_len / tp_.size(), width};
  return {training.micro_batch_size, training.seq_len, width};
}

Tensor RankStep::ids() {
  const Shape shape{recipe_.training.micro_batch_size, recipe_.training.seq_len};
  std::vector<std::int32_t> ids(static_cast<std::size_t>(shape.numel()));
  const auto vocabulary = static_cast<std::uint32_t>(recipe_.model.llama.vocab_size);
  for (std::int32_t& id : ids) {
    random_ = random_ * 1664525U + 1013904223U;  // Numerical Recipes' generator
    id = static_cast<std::int32_t>((random_ >> 8) % vocabulary);
  }
  return Tensor::of(shape, ids);
}

void RankStep::forward(const ModelPart& part, InFlight& in_flight) {
  in_flight.tokens = {ids(), ids(), {}};
  if (recipe_.data.packing)
    in_flight.tokens.documents = Tensor::zeros(in_flight.tokens.targets.shape(), DType::i32);
  if (!part.embeds) in_flight.input = input_leaf(Tensor::zeros(stream_shape(), dtype_));
  const Tensor stream =
      forward_part(*model_, part, in_flight.input, in_flight.tokens,
                   activation_checkpoint_named(recipe_.activation_checkpoint.mode));
  const double scale =
      1.0 / static_cast<double>(recipe_.training.global_batch_size * recipe_.training.seq_len);
  in_flight.output = part.ends ? model_->loss(stream, in_flight.tokens, scale) : stream;
}

void RankStep::backward(InFlight& in_flight) const {
  const Tensor& output = in_flight.output;
  const Tensor dy = Tensor::full(output.shape(), output.dtype(), 1.0);
  if (request_.splits_backward)
    in_flight.weight_grads = backward_input(output, dy);
  else
    boostr::backward(output, dy);
  in_flight.input = in_flight.output = {};
  if (!request_.splits_backward) in_flight.tokens = {};
}

void RankStep::weights(InFlight& in_flight) const {
  in_flight.weight_grads.run();
  in_flight.tokens = {};
}

void RankStep::microbatch(std::size_t index, const Watch& watch) {
  std::vector<InFlight> in_flight(parts_.size());
  for (std::size_t chunk = 0; chunk < parts_.size(); ++chunk)
    watch({Piece::forward, index, chunk}, [&] { forward(parts_[chunk], in_flight[chunk]); });
  zero_->expect_backward(index + 1 == microbatches_.size());
  for (std::size_t chunk = parts_.size(); chunk-- > 0;) {
    watch({Piece::backward, index, chunk}, [&] { backward(in_flight[chunk]); });
    watch({Piece::weights, index, chunk}, [&] { weights(in_flight[chunk]); });
  }
}

void RankStep::update() {
  zero_->reduce_gradients();
  all_ranks_sum(mesh_.dp(), 0);  // targets
  all_ranks_sum(mesh_.dp(), 0);  // the loss
  optimizer_->grad_norm(1.0);
  optimizer_->step(1, 1.0, 1.0);
  zero_->gather_parameters();
  all_ranks_sum(world_, 0);  // whether to go on
}

}  // namespace boostr
