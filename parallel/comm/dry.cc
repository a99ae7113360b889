#include "parallel/comm/dry.h"

#include <algorithm>
#include <utility>

#include "kernels/runtime/memory_ledger.h"
#include "ops/tensor.h"
#include "parallel/comm/shared_board.h"

namespace boostr {
namespace {

class DryCommunicator final : public Communicator {
 public:
  DryCommunicator(DryWorld& world, std::string name, const GroupPlace& place)
      : world_(world), name_(std::move(name)), place_(place) {
    if (place.size == 1) return;
    const CountMemoryAs scope(MemoryUse::communication);
    meeting_place_.emplace_back(sizeof(RankBlock));
  }

  int rank() const override { return place_.rank; }
  int size() const override { return place_.size; }
  const std::string& name() const override { return name_; }
  std::string_view transport() const override { return "none"; }

  Work all_reduce(Out buffer, ReduceOp /*op*/, Subject /*about*/) override {
    return note(CallKind::all_reduce, buffer);
  }
  Work reduce_scatter(Out /*output*/, In input, ReduceOp /*op*/, Subject /*about*/) override {
    return note(CallKind::reduce_scatter, input);
  }
  Work all_gather(Out output, In /*input*/, Subject /*about*/) override {
    return note(CallKind::all_gather, output);
  }
  Work all_to_all(Out output, In /*input*/) override { return note(CallKind::all_to_all, output); }
  Work broadcast(Out buffer, int /*root*/) override { return note(CallKind::broadcast, buffer); }
  Work send(In buffer, int /*destination*/, int /*tag*/, Subject /*about*/) override {
    return note(CallKind::send, buffer);
  }
  Work recv(Out buffer, int /*source*/, int /*tag*/, Subject /*about*/) override {
    return note(CallKind::recv, buffer);
  }
  void barrier() override { note(CallKind::barrier, {}); }

  std::unique_ptr<Communicator> split(int /*color*/, int /*key*/, std::string name) override {
    const auto group = world_.groups.find(name);
    expect(group != world_.groups.end(), "the dry world has no group '", name, "'");
    return std::make_unique<DryCommunicator>(world_, std::move(name), group->second);
  }

  Out allocate_shared(DType dtype, std::int64_t numel, Subject /*about*/) override {
    return shared_.emplace_back(Tensor::empty({numel}, dtype)).out();
  }

  void progress() override {}
  void set_timeout(std::chrono::duration<double> /*timeout*/) override {}
  void abort(ExitCode /*code*/, const std::string& /*reason*/) override {}

 private:
  Work note(CallKind kind, const In& buffer) {
    if (place_.size > 1) world_.calls.push_back({kind, name_, place_, double(buffer.bytes())});
    return {};
  }

  DryWorld& world_;
  std::string name_;
  GroupPlace place_;
  std::vector<MemoryCharge> meeting_place_;
  std::vector<Tensor> shared_;
};

}  // namespace

double WireCall::sent_bytes() const {
  const double others = double(place.size - 1) / double(place.size);
  switch (kind) {
    case CallKind::all_reduce:
      return 2 * others * bytes;
    case CallKind::reduce_scatter:
    case CallKind::all_gather:
    case CallKind::all_to_all:
      return others * bytes;
    case CallKind::send:
    case CallKind::broadcast:
      return bytes;
    default:
      return 0;
  }
}

std::unique_ptr<Communicator> dry_communicator(DryWorld& world) {
  return std::make_unique<DryCommunicator>(world, "world", world.world);
}

}  // namespace boostr
