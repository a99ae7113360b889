#include "parallel/comm/traced_communicator.h"

#include <algorithm>
#include <array>
#include <utility>

#include "parallel/comm/self.h"

namespace boostr {
namespace {

/// While it lives, the trace shows that this rank waits for the operation.
class WaitScope {
 public:
  WaitScope(const TracedGroup& traced, const Signature& signature, std::uint64_t sequence,
            Subject about = {})
      : trace_(*traced.trace) {
    trace_.begin_wait({.group = traced.group.get(),
                       .group_name = traced.name,
                       .world_ranks = traced.world_ranks,
                       .signature = signature,
                       .sequence = sequence,
                       .about = std::move(about),
                       .since = std::chrono::steady_clock::now()});
  }
  ~WaitScope() { trace_.end_wait(); }
  WaitScope(const WaitScope&) = delete;
  WaitScope& operator=(const WaitScope&) = delete;

 private:
  Trace& trace_;
};

/// The time of its life holds the rank's thread up.
class HeldUp {
 public:
  explicit HeldUp(Trace& trace) : trace_(trace) {}
  ~HeldUp() { trace_.add_held_up(std::chrono::duration<double>(Clock::now() - begin_).count()); }
  HeldUp(const HeldUp&) = delete;
  HeldUp& operator=(const HeldUp&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  Trace& trace_;
  Clock::time_point begin_ = Clock::now();
};

/// A recorded operation until it is waited for.
class PendingCall final : public Work::Pending {
 public:
  PendingCall(std::shared_ptr<TracedGroup> traced, std::shared_ptr<Operation> operation,
              const Call& call, std::uint64_t sequence, std::uint64_t record)
      : traced_(std::move(traced)),
        operation_(std::move(operation)),
        signature_(call.signature),
        about_(call.about),
        sequence_(sequence),
        record_(record) {}

  void wait() override {
    if (!operation_->done()) {
      traced_->trace->set_state(record_, CallState::waiting);
      const WaitScope scope(*traced_, signature_, sequence_, about_);
      const HeldUp held_up(*traced_->trace);
      traced_->progress->wait(*operation_);
    }
    traced_->trace->set_state(record_, CallState::done);
  }

 private:
  std::shared_ptr<TracedGroup> traced_;
  std::shared_ptr<Operation> operation_;
  Signature signature_;
  Subject about_;
  std::uint64_t sequence_;
  std::uint64_t record_;
};

void check_buffer(const TracedGroup& traced, CallKind kind, const In& buffer) {
  expect(buffer.data != nullptr || buffer.shape.numel() == 0, name(kind), " in group '",
         traced.name, "': null buffer of ", buffer.shape.numel(), " elements");
}

void check_rank(const TracedGroup& traced, CallKind kind, int rank) {
  expect(rank >= 0 && rank < traced.group->size(), name(kind), " in group '", traced.name,
         "': there is no rank ", rank, " among ", traced.group->size());
}

/// `whole` must hold one `piece` per rank.
void check_pieces(const TracedGroup& traced, CallKind kind, const In& whole, const In& piece) {
  check_buffer(traced, kind, whole);
  check_buffer(traced, kind, piece);
  expect(whole.dtype == piece.dtype &&
             whole.shape.numel() == piece.shape.numel() * traced.group->size(),
         name(kind), " in group '", traced.name, "': ", whole.shape.numel(), " ", whole.dtype,
         " is not ", traced.group->size(), " times ", piece.shape.numel(), " ", piece.dtype);
}

Call make_call(CallKind kind, In input, Out output, std::int64_t numel) {
  return {.signature = {.kind = kind, .dtype = input.dtype, .numel = numel},
          .input = static_cast<const std::byte*>(input.data),
          .output = static_cast<std::byte*>(output.data)};
}

}  // namespace

TracedCommunicator::TracedCommunicator(std::shared_ptr<TracedGroup> traced)
    : traced_(std::move(traced)) {}

Work TracedCommunicator::start(const Call& call) {
  TracedGroup& traced = *traced_;
  const std::uint64_t sequence =
      is_message(call.signature.kind) ? traced.next_message++ : traced.next_collective++;
  const std::uint64_t record = traced.trace->record(call.signature, traced.name, sequence);
  std::shared_ptr<Operation> operation;
  {
    // Starting waits when very many operations are in flight.
    const WaitScope scope(traced, call.signature, sequence, call.about);
    const HeldUp held_up(*traced.trace);
    operation = traced.group->start(call);
  }
  return Work(std::make_unique<PendingCall>(traced_, std::move(operation), call, sequence, record));
}

Work TracedCommunicator::all_reduce(Out buffer, ReduceOp op, Subject about) {
  check_buffer(*traced_, CallKind::all_reduce, buffer);
  Call call = make_call(CallKind::all_reduce, buffer, buffer, buffer.shape.numel());
  call.signature.reduce = op;
  call.about = std::move(about);
  return start(call);
}

Work TracedCommunicator::reduce_scatter(Out output, In input, ReduceOp op, Subject about) {
  check_pieces(*traced_, CallKind::reduce_scatter, input, output);
  Call call = make_call(CallKind::reduce_scatter, input, output, output.shape.numel());
  call.signature.reduce = op;
  call.about = std::move(about);
  return start(call);
}

Work TracedCommunicator::all_gather(Out output, In input, Subject about) {
  check_pieces(*traced_, CallKind::all_gather, output, input);
  Call call = make_call(CallKind::all_gather, input, output, input.shape.numel());
  call.about = std::move(about);
  return start(call);
}

Work TracedCommunicator::all_to_all(Out output, In input) {
  const std::int64_t piece = input.shape.numel() / size();
  check_buffer(*traced_, CallKind::all_to_all, output);
  check_pieces(*traced_, CallKind::all_to_all, input, {output.data, output.dtype, {piece}});
  expect(output.shape.numel() == input.shape.numel(), "all_to_all in group '", name(),
         "': the output has ", output.shape.numel(), " elements, the input ", input.shape.numel());
  return start(make_call(CallKind::all_to_all, input, output, piece));
}

Work TracedCommunicator::broadcast(Out buffer, int root) {
  check_buffer(*traced_, CallKind::broadcast, buffer);
  check_rank(*traced_, CallKind::broadcast, root);
  Call call = make_call(CallKind::broadcast, buffer, buffer, buffer.shape.numel());
  call.signature.peer = root;
  return start(call);
}

Work TracedCommunicator::send(In buffer, int destination, int tag, Subject about) {
  check_buffer(*traced_, CallKind::send, buffer);
  check_rank(*traced_, CallKind::send, destination);
  Call call = make_call(CallKind::send, buffer, {}, buffer.shape.numel());
  call.signature.peer = destination;
  call.tag = tag;
  call.about = std::move(about);
  return start(call);
}

Work TracedCommunicator::recv(Out buffer, int source, int tag, Subject about) {
  check_buffer(*traced_, CallKind::recv, buffer);
  check_rank(*traced_, CallKind::recv, source);
  Call call = make_call(CallKind::recv, {nullptr, buffer.dtype, {}}, buffer, buffer.shape.numel());
  call.signature.peer = source;
  call.tag = tag;
  call.about = std::move(about);
  return start(call);
}

void TracedCommunicator::barrier() { start({}).wait(); }

std::unique_ptr<Communicator> TracedCommunicator::split(int color, int key, std::string name) {
  struct Choice {
    std::int64_t color, key, rank;
  };
  static constexpr std::int64_t words = sizeof(Choice) / sizeof(std::int64_t);
  const Choice mine{color, key, rank()};
  std::vector<Choice> all(static_cast<std::size_t>(size()));
  start(make_call(CallKind::split, {&mine, DType::i64, {words}},
                  {all.data(), DType::i64, {words * size()}}, words))
      .wait();

  std::erase_if(all, [&](const Choice& choice) { return choice.color != color; });
  std::ranges::sort(all, {},
                    [](const Choice& choice) { return std::pair(choice.key, choice.rank); });
  std::vector<int> members;
  auto part = std::make_shared<TracedGroup>();
  for (const Choice& choice : all) {
    members.push_back(static_cast<int>(choice.rank));
    part->world_ranks.push_back(traced_->world_ranks[static_cast<std::size_t>(choice.rank)]);
  }
  part->name = std::move(name);
  part->trace = traced_->trace;
  part->progress = traced_->progress;
  const int number = traced_->next_split++;
  if (members.size() == 1) {
    part->group = std::make_unique<SelfGroup>(*part->progress);
  } else {
    const WaitScope scope(*traced_, {.kind = CallKind::split}, traced_->next_collective - 1);
    part->group = traced_->group->subset(members, number);
  }
  return std::make_unique<TracedCommunicator>(std::move(part));
}

Out TracedCommunicator::allocate_shared(DType dtype, std::int64_t numel, Subject about) {
  expect(numel >= 0, "allocate_shared in group '", name(), "': ", numel, " elements");
  const Signature signature{.kind = CallKind::allocate_shared, .dtype = dtype, .numel = numel};
  start({.signature = signature, .about = about}).wait();
  if (numel == 0) return {nullptr, dtype, {0}};
  const WaitScope scope(*traced_, signature, traced_->next_collective - 1, std::move(about));
  std::byte* memory =
      traced_->group->allocate_shared(static_cast<std::size_t>(numel) * size_of(dtype));
  return {memory, dtype, {numel}};
}

void TracedCommunicator::progress() {
  const HeldUp held_up(*traced_->trace);
  traced_->progress->poll();
}

double TracedCommunicator::held_up_seconds() const { return traced_->trace->held_up_seconds(); }

void TracedCommunicator::set_timeout(std::chrono::duration<double> timeout) {
  traced_->trace->set_timeout(timeout);
}

void TracedCommunicator::abort(ExitCode code, const std::string& reason) {
  traced_->trace->give_up();
  traced_->group->abort(code, reason);
}

}  // namespace boostr
