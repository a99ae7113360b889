#include "parallel/pipeline/runner.h"

#include <chrono>
#include <optional>

#include "parallel/pipeline/validate.h"
#include "parallel/pipeline/warm_up.h"

namespace boostr {
namespace {

/// Tags that every MPI has.
constexpr int num_tags = 1 << 15;

bool is_forward(const Pass& pass) { return pass.kind == PassKind::forward; }

/// The same for the sender and the receiver of the input of a pass.
int tag_of(const Schedule& schedule, int receiver, const Pass& pass) {
  const int stage = schedule.virtual_stage(receiver, pass.chunk);
  const int number = pass.microbatch * schedule.shape.virtual_stages() + stage;
  return (2 * number + (is_forward(pass) ? 0 : 1)) % num_tags;
}

/// "activations of microbatch 3 from stage 1 to stage 2": what a message is, for messages.
Subject subject(const Schedule& schedule, StagePlace from, StagePlace to, const Pass& pass) {
  const auto stage = [&](StagePlace place) {
    std::string words = text("stage ", place.rank);
    if (schedule.shape.chunks > 1) words += text(" chunk ", place.chunk);
    return words;
  };
  return std::make_shared<const std::string>(
      text(is_forward(pass) ? "activations" : "gradients", " of microbatch ", pass.microbatch,
           ", which ", stage(from), " makes in ", is_forward(pass) ? "F" : "B", pass.microbatch,
           " and ", stage(to), " takes"));
}

bool has_backwards(const Schedule& schedule) {
  for (const std::vector<Pass>& passes : schedule.passes)
    for (const Pass& pass : passes)
      if (!is_forward(pass)) return true;
  return false;
}

}  // namespace

PipelineRunner::PipelineRunner(Communicator& group, PipelineStream stream)
    : group_(group), stream_(stream) {
  group_.barrier();
  epoch_ = now();
}

double PipelineRunner::now() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count() - epoch_;
}

bool PipelineRunner::run(const Schedule& schedule, PipelineChunks& chunks,
                         const PipelineGate& gate) {
  expect(schedule.shape.stages == group_.size(), "a schedule of ", schedule.shape.stages,
         " stages cannot run on ", group_.size(), " ranks");
  Run run{.schedule = schedule, .chunks = chunks, .keeps_graphs = has_backwards(schedule)};
  const std::vector<Pass>& passes = schedule.passes[static_cast<std::size_t>(rank())];
  timeline_.clear();
  timeline_.reserve(passes.size());
  const double run_begin = now();
  const std::size_t before_gate =
      gate.after.empty() ? 0 : gate.after[static_cast<std::size_t>(rank())];
  run_passes(run, 0, before_gate);
  if (!gate.after.empty() && !gate.may_go_on()) {
    take_back(run, gate.after);
    return false;
  }
  run_passes(run, before_gate, passes.size());
  for (auto& [towards, messages] : run.outgoing)
    for (Outgoing& message : messages) message.work.wait();
  add_times(run_begin, now());
  expect(run.live.empty() && run.weight_grads.empty(), "a schedule ended with ", run.live.size(),
         " microbatches without B and ", run.weight_grads.size(), " without W");
  return true;
}

void PipelineRunner::run_passes(Run& run, std::size_t begin, std::size_t end) {
  const std::vector<Pass>& passes = run.schedule.passes[static_cast<std::size_t>(rank())];
  for (std::size_t i = begin; i < end; ++i) {
    ask_for_input(run, i);
    if (i + 1 < end) ask_for_input(run, i + 1);
    const Tensor input = input_of(run, i);
    const double pass_begin = now();
    const Tensor output = execute(run, passes[i], input);
    timeline_.push_back({passes[i], pass_begin, now()});
    if (output.defined()) deliver(run, passes[i], output);
  }
}

void PipelineRunner::take_back(Run& run, const std::vector<std::size_t>& warm_up) {
  run.live.clear();
  std::vector<Incoming> unwanted;
  for (const Pass& pass : untaken_in_warm_up(run.schedule, warm_up, rank()))
    unwanted.push_back(receive(run.schedule, pass, *run.schedule.source(rank(), pass)));
  for (Incoming& message : unwanted) message.work.wait();
  for (auto& [towards, messages] : run.outgoing)
    for (Outgoing& message : messages) message.work.wait();
}

void PipelineRunner::add_times(double begin, double end) {
  if (timeline_.empty()) return;
  double work = 0;
  for (const TimedPass& timed : timeline_) work += timed.end - timed.begin;
  times_.span += timeline_.back().end - timeline_.front().begin;
  times_.work += work;
  times_.idle += end - begin - work;
}

void PipelineRunner::ask_for_input(Run& run, std::size_t position) {
  const Pass& pass = run.schedule.passes[static_cast<std::size_t>(rank())][position];
  const std::optional<StagePlace> source = run.schedule.source(rank(), pass);
  if (!source || source->rank == rank() || run.incoming.contains(position)) return;
  run.incoming.emplace(position, receive(run.schedule, pass, *source));
}

PipelineRunner::Incoming PipelineRunner::receive(const Schedule& schedule, const Pass& pass,
                                                 StagePlace source) {
  Incoming incoming;
  incoming.data = Tensor::empty(stream_.shape, stream_.dtype);
  incoming.work =
      group_.recv(incoming.data.out(), source.rank, tag_of(schedule, rank(), pass),
                  subject(schedule, source, {.rank = rank(), .chunk = pass.chunk}, pass));
  return incoming;
}

Tensor PipelineRunner::input_of(Run& run, std::size_t position) {
  const Pass& pass = run.schedule.passes[static_cast<std::size_t>(rank())][position];
  if (auto found = run.incoming.find(position); found != run.incoming.end()) {
    found->second.work.wait();
    return run.incoming.extract(found).mapped().data;
  }
  const PassKind kind = is_forward(pass) ? PassKind::forward : PassKind::backward;
  auto handed = run.handed_over.find({kind, {pass.chunk, pass.microbatch}});
  return handed == run.handed_over.end() ? Tensor() : run.handed_over.extract(handed).mapped();
}

Tensor PipelineRunner::execute(Run& run, const Pass& pass, const Tensor& input) {
  const Key key{pass.chunk, pass.microbatch};
  switch (pass.kind) {
    case PassKind::forward:
      return forward(run, pass, input);
    case PassKind::backward:
    case PassKind::backward_input:
      return backward(run, pass, input);
    case PassKind::backward_weight:
      weight_gradients(run, key);
      return {};
  }
  throw Error("a pass of no kind");
}

Tensor PipelineRunner::forward(Run& run, const Pass& pass, const Tensor& input) {
  std::optional<NoGrad> no_grad;
  if (!run.keeps_graphs) no_grad.emplace();
  Live live;
  if (input.defined()) live.input = input_leaf(input);
  live.output = run.chunks.forward(pass.chunk, pass.microbatch, live.input);
  const Tensor output = live.output.detach();
  if (run.keeps_graphs) run.live.emplace(Key{pass.chunk, pass.microbatch}, std::move(live));
  return output;
}

Tensor PipelineRunner::backward(Run& run, const Pass& pass, const Tensor& gradient) {
  const Key key{pass.chunk, pass.microbatch};
  const Live live = std::move(run.live.extract(key).mapped());
  const Tensor dy =
      gradient.defined() ? gradient : Tensor::full(live.output.shape(), live.output.dtype(), 1.0);
  // Both halves at once free the graph as they go; out of turn W must wait.
  const bool at_once =
      pass.kind == PassKind::backward && run.next_weight[pass.chunk] == pass.microbatch;
  if (at_once) {
    run.chunks.expect_weight_gradients(pass.chunk,
                                       pass.microbatch + 1 == run.schedule.shape.microbatches);
    boostr::backward(live.output, dy);
  } else {
    run.weight_grads.emplace(key, backward_input(live.output, dy));
  }
  if (at_once) ++run.next_weight[pass.chunk];
  if (pass.kind == PassKind::backward) weight_gradients(run, key);
  return live.input.defined() ? gradient_of(live.input) : Tensor();
}

void PipelineRunner::weight_gradients(Run& run, const Key& key) {
  const auto [chunk, microbatch] = key;
  if (run.weight_grads.contains(key)) run.due.insert(key);
  int& next = run.next_weight[chunk];
  while (run.due.erase({chunk, next}) > 0) {
    WeightGrads grads = std::move(run.weight_grads.extract(Key{chunk, next}).mapped());
    run.chunks.expect_weight_gradients(chunk, next + 1 == run.schedule.shape.microbatches);
    grads.run();
    ++next;
  }
}

void PipelineRunner::deliver(Run& run, const Pass& pass, const Tensor& output) {
  const std::optional<StagePlace> to = run.schedule.destination(rank(), pass);
  if (!to) return;
  const PassKind kind = is_forward(pass) ? PassKind::forward : PassKind::backward;
  if (to->rank == rank()) {
    run.handed_over.emplace(std::pair(kind, Key{to->chunk, pass.microbatch}), output);
    return;
  }
  std::deque<Outgoing>& outgoing = run.outgoing[{is_forward(pass), to->rank}];
  while (outgoing.size() >= most_waiting_messages) {
    outgoing.front().work.wait();
    outgoing.pop_front();
  }
  const Pass wanted{.kind = pass.kind, .microbatch = pass.microbatch, .chunk = to->chunk};
  outgoing.push_back(
      {output,
       group_.send(output.in(), to->rank, tag_of(run.schedule, to->rank, wanted),
                   subject(run.schedule, {.rank = rank(), .chunk = pass.chunk}, *to, pass))});
}

PipelineTimeline PipelineRunner::gather_timeline() const {
  std::vector<double> mine{double(timeline_.size())};
  double most = mine.front();
  group_.all_reduce(Out{&most, DType::f64, Shape{1}}, ReduceOp::max).wait();
  for (const TimedPass& timed : timeline_)
    mine.insert(mine.end(), {double(timed.pass.kind), double(timed.pass.microbatch),
                             double(timed.pass.chunk), timed.begin, timed.end});
  mine.resize(1 + 5 * static_cast<std::size_t>(most));
  const auto numel = static_cast<std::int64_t>(mine.size());
  std::vector<double> all(mine.size() * static_cast<std::size_t>(group_.size()));
  group_
      .all_gather(Out{all.data(), DType::f64, Shape{numel * group_.size()}},
                  In{mine.data(), DType::f64, Shape{numel}})
      .wait();
  PipelineTimeline timeline;
  for (int rank = 0; rank < group_.size(); ++rank) {
    const double* word = all.data() + numel * rank;
    std::vector<TimedPass>& passes = timeline.emplace_back();
    const auto count = static_cast<std::size_t>(*word++);
    for (std::size_t i = 0; i < count; ++i, word += 5)
      passes.push_back({{PassKind(int(word[0])), int(word[1]), int(word[2])}, word[3], word[4]});
  }
  return timeline;
}

}  // namespace boostr
