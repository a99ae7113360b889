#include "trainer/plan/rank_step.h"

#include <algorithm>
#include <utility>

#include "models/build.h"
#include "trainer/agreement.h"
#include "trainer/trainer.h"
#include "trainer/training_pipeline.h"

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
      parts_(request.layout.parts_of(request.stage)),
      pipeline_(recipe_, mesh_, *model_, dtype_, request.layout),
      splits_backward_(splits_backward(request.layout.schedule)),
      microbatches_(distinct_microbatches(request.layout.schedule.shape.microbatches)) {
  zero_ = std::make_unique<Zero>(
      pipeline_.share(), DataParallelGroups{mesh_.shard(), mesh_.replicate()}, mesh_.model(),
      ZeroOptions{recipe_.parallelism.zero_stage, recipe_.parallelism.bucket_bytes});
  optimizer_ = std::make_unique<Optimizer>(recipe_.optimizer, *zero_);
  optimizer_->initialize(recipe_.training.seed);
  zero_->gather_parameters();
}

std::int64_t RankStep::num_parameters() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : pipeline_.share().all) sum += parameter.global_shape().numel();
  return sum;
}

double RankStep::most_updated() const {
  const ParallelismSection& section = recipe_.parallelism;
  const int pieces = section.zero_stage == 0 ? 1 : request_.degrees.shard;
  std::vector<double> updated(static_cast<std::size_t>(pieces));
  for (const FlatLayout& layout : bucket_layouts(pipeline_.share(), pieces, section.bucket_bytes))
    for (int piece = 0; piece < pieces; ++piece)
      for (const FlatPart& part : parts_of_piece(layout, piece))
        updated[static_cast<std::size_t>(piece)] += static_cast<double>(part.numel);
  return updated.front() > 0 ? std::ranges::max(updated) / updated.front() : 1;
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
  pipeline_.share().zero_grads();
  for (std::size_t i = 0; i < microbatches_.size(); ++i) microbatch(i, watch);
  watch({Piece::update, 0, 0}, [&] { update(); });
}

Shape RankStep::stream_shape() const {
  return model_->stream_shape(recipe_.training.micro_batch_size, recipe_.training.seq_len);
}

std::vector<std::int32_t> RankStep::ids(std::int64_t rows) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(rows * recipe_.training.seq_len));
  const auto vocabulary = static_cast<std::uint32_t>(recipe_.model.llama.vocab_size);
  for (std::int32_t& id : ids) {
    random_ = random_ * 1664525U + 1013904223U;  // Numerical Recipes' generator
    id = static_cast<std::int32_t>((random_ >> 8) % vocabulary);
  }
  return ids;
}

Tensor RankStep::microbatch_ids() {
  const TrainingSection& training = recipe_.training;
  return Tensor::of({training.micro_batch_size, training.seq_len}, ids(training.micro_batch_size));
}

void RankStep::forward(const ModelPart& part, InFlight& in_flight) {
  Microbatch tokens{microbatch_ids(), microbatch_ids(), {}};
  if (recipe_.data.packing) tokens.documents = Tensor::zeros(tokens.targets.shape(), DType::i32);
  if (!part.embeds) in_flight.input = input_leaf(Tensor::zeros(stream_shape(), dtype_));
  const Tensor stream =
      forward_part(*model_, part, in_flight.input, tokens, recomputation_of(recipe_));
  const auto targets =
      static_cast<double>(recipe_.training.global_batch_size * recipe_.training.seq_len);
  in_flight.output = part.ends ? model_->loss(stream, tokens, 1.0 / targets) : stream;
}

void RankStep::backward(InFlight& in_flight) const {
  const InFlight live = std::exchange(in_flight, {});
  const Tensor dy = Tensor::full(live.output.shape(), live.output.dtype(), 1.0);
  if (splits_backward_)
    in_flight.weight_grads = backward_input(live.output, dy);
  else
    boostr::backward(live.output, dy);
}

void RankStep::microbatch(std::size_t index, const Watch& watch) {
  const bool last = index + 1 == microbatches_.size();
  std::vector<InFlight> in_flight(parts_.size());
  for (std::size_t chunk = 0; chunk < parts_.size(); ++chunk)
    watch({Piece::forward, index, chunk}, [&] { forward(parts_[chunk], in_flight[chunk]); });
  for (std::size_t chunk = parts_.size(); chunk-- > 0;) {
    zero_->expect_backward(chunk, last);
    watch({Piece::backward, index, chunk}, [&] { backward(in_flight[chunk]); });
    watch({Piece::weights, index, chunk}, [&] { in_flight[chunk].weight_grads.run(); });
  }
}

void RankStep::whole_step() {
  const TrainingSection& training = recipe_.training;
  Batch batch;
  batch.batch = training.global_batch_size / mesh_.dp().size();
  batch.seq_len = training.seq_len;
  batch.input_ids = ids(batch.batch);
  batch.targets = ids(batch.batch);
  batch.num_targets = batch.batch * batch.seq_len;
  if (recipe_.data.packing) batch.documents.resize(batch.input_ids.size());
  pipeline_.share().zero_grads();
  const auto targets = static_cast<double>(training.global_batch_size * training.seq_len);
  pipeline_.train(batch, 1.0 / targets, *zero_);
  finish();
}

void RankStep::update() {
  pipeline_.reduce_gradients(*zero_);
  finish();
}

void RankStep::finish() {
  all_ranks_sum(mesh_.dp(), 0);  // targets
  all_ranks_sum(mesh_.dp(), 0);  // the loss
  all_ranks_sum(mesh_.pp(), 0);
  optimizer_->grad_norm(1.0);
  optimizer_->step(1, 1.0, 1.0);
  zero_->gather_parameters();
  all_ranks_sum(world_, 0);  // whether to go on
}

}  // namespace boostr
