#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parallel/comm/communicator.h"
#include "parallel/comm/group.h"
#include "parallel/comm/trace.h"
#include "parallel/comm/watchdog.h"

namespace boostr {

/// What one communicator is; shared with its operations in flight.
struct TracedGroup {
  std::string name;
  std::vector<int> world_ranks;  ///< by rank of the group
  std::shared_ptr<Trace> trace;
  std::shared_ptr<Progress> progress;  ///< outlives the group
  std::unique_ptr<Group> group;
  std::uint64_t next_collective = 0;
  std::uint64_t next_message = 0;
  int next_split = 0;
  std::unique_ptr<Watchdog> watchdog;  ///< of a world between processes; ends first
};

/// The communicator that everybody uses: checks each call's arguments, records it, and hands it to
/// the group as data. Every operation of boostr passes through start() here.
class TracedCommunicator final : public Communicator {
 public:
  explicit TracedCommunicator(std::shared_ptr<TracedGroup> traced);

  int rank() const override { return traced_->group->rank(); }
  int size() const override { return traced_->group->size(); }
  const std::string& name() const override { return traced_->name; }
  std::string_view transport() const override { return traced_->group->transport(); }

  Work all_reduce(Out buffer, ReduceOp op, Subject about) override;
  Work reduce_scatter(Out output, In input, ReduceOp op, Subject about) override;
  Work all_gather(Out output, In input, Subject about) override;
  Work all_to_all(Out output, In input) override;
  Work broadcast(Out buffer, int root) override;
  Work send(In buffer, int destination, int tag, Subject about) override;
  Work recv(Out buffer, int source, int tag, Subject about) override;
  void barrier() override;
  std::unique_ptr<Communicator> split(int color, int key, std::string name) override;
  Out allocate_shared(DType dtype, std::int64_t numel, Subject about) override;
  void progress() override;
  double held_up_seconds() const override;
  void set_timeout(std::chrono::duration<double> timeout) override;
  void abort(ExitCode code, const std::string& reason) override;

 private:
  Work start(const Call& call);

  std::shared_ptr<TracedGroup> traced_;
};

}  // namespace boostr
