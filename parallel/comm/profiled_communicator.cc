#include "parallel/comm/profiled_communicator.h"

#include <utility>

namespace boostr {
namespace {

/// Names of the time a call takes, and of the wait for what it began.
struct EventNames {
  std::string_view call;
  std::string_view wait;
};
constexpr EventNames all_reduce_names{"all_reduce", "all_reduce wait"};
constexpr EventNames reduce_scatter_names{"reduce_scatter", "reduce_scatter wait"};
constexpr EventNames all_gather_names{"all_gather", "all_gather wait"};
constexpr EventNames all_to_all_names{"all_to_all", "all_to_all wait"};
constexpr EventNames broadcast_names{"broadcast", "broadcast wait"};
constexpr EventNames send_names{"send", "send wait"};
constexpr EventNames recv_names{"recv", "recv wait"};

TimelineEvent communication(std::string_view name) {
  return {.kind = TimelineEvent::Kind::communication, .name = name};
}

TimelineEvent communication(std::string_view name, int ranks, const In& buffer) {
  TimelineEvent event = communication(name);
  event.ranks = ranks;
  event.dtype = buffer.dtype;
  event.bytes = double(buffer.bytes());
  event.add_shape(buffer.shape);
  return event;
}

/// An operation in flight, whose wait is an event.
class ProfiledWork final : public Work::Pending {
 public:
  ProfiledWork(Work work, Timeline& timeline, std::string_view name)
      : work_(std::move(work)), timeline_(timeline), name_(name) {}

  void wait() override {
    const TimelineScope scope(timeline_, communication(name_));
    work_.wait();
  }

 private:
  Work work_;
  Timeline& timeline_;
  std::string_view name_;
};

/// start() as an event; its buffer is described by `buffer`.
template <class Start>
Work profiled(Timeline& timeline, const EventNames& names, int ranks, const In& buffer,
              Start&& start) {
  const TimelineScope scope(timeline, communication(names.call, ranks, buffer));
  return Work(std::make_unique<ProfiledWork>(start(), timeline, names.wait));
}

}  // namespace

ProfiledCommunicator::ProfiledCommunicator(std::unique_ptr<Communicator> owned, Timeline& timeline)
    : owned_(std::move(owned)), inner_(*owned_), timeline_(timeline) {}

ProfiledCommunicator::ProfiledCommunicator(Communicator& inner, Timeline& timeline)
    : inner_(inner), timeline_(timeline) {}

Work ProfiledCommunicator::all_reduce(Out buffer, ReduceOp op, Subject about) {
  return profiled(timeline_, all_reduce_names, size(), buffer,
                  [&] { return inner_.all_reduce(buffer, op, std::move(about)); });
}

Work ProfiledCommunicator::reduce_scatter(Out output, In input, ReduceOp op, Subject about) {
  return profiled(timeline_, reduce_scatter_names, size(), input,
                  [&] { return inner_.reduce_scatter(output, input, op, std::move(about)); });
}

Work ProfiledCommunicator::all_gather(Out output, In input, Subject about) {
  return profiled(timeline_, all_gather_names, size(), output,
                  [&] { return inner_.all_gather(output, input, std::move(about)); });
}

Work ProfiledCommunicator::all_to_all(Out output, In input) {
  return profiled(timeline_, all_to_all_names, size(), input,
                  [&] { return inner_.all_to_all(output, input); });
}

Work ProfiledCommunicator::broadcast(Out buffer, int root) {
  return profiled(timeline_, broadcast_names, size(), buffer,
                  [&] { return inner_.broadcast(buffer, root); });
}

Work ProfiledCommunicator::send(In buffer, int destination, int tag, Subject about) {
  return profiled(timeline_, send_names, size(), buffer,
                  [&] { return inner_.send(buffer, destination, tag, std::move(about)); });
}

Work ProfiledCommunicator::recv(Out buffer, int source, int tag, Subject about) {
  return profiled(timeline_, recv_names, size(), buffer,
                  [&] { return inner_.recv(buffer, source, tag, std::move(about)); });
}

void ProfiledCommunicator::barrier() {
  const TimelineScope scope(timeline_, communication("barrier"));
  inner_.barrier();
}

std::unique_ptr<Communicator> ProfiledCommunicator::split(int color, int key, std::string name) {
  return std::make_unique<ProfiledCommunicator>(inner_.split(color, key, std::move(name)),
                                                timeline_);
}

Out ProfiledCommunicator::allocate_shared(DType dtype, std::int64_t numel, Subject about) {
  return inner_.allocate_shared(dtype, numel, std::move(about));
}

void ProfiledCommunicator::progress() {
  const TimelineScope scope(timeline_, communication("progress"));
  inner_.progress();
}

double ProfiledCommunicator::held_up_seconds() const { return inner_.held_up_seconds(); }

void ProfiledCommunicator::set_timeout(std::chrono::duration<double> timeout) {
  inner_.set_timeout(timeout);
}

void ProfiledCommunicator::abort(ExitCode code, const std::string& reason) {
  inner_.abort(code, reason);
}

}  // namespace boostr
