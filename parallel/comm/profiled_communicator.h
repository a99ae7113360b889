#pragma once

#include <memory>
#include <string>

#include "kernels/runtime/timeline.h"
#include "parallel/comm/communicator.h"

namespace boostr {

/// Another communicator, each of whose calls and waits is an event of a timeline: how long the
/// calling thread was held up. A call's event names the operation and its bytes, a wait's the
/// operation that was waited for. Communicators split from it note into the same timeline.
class ProfiledCommunicator final : public Communicator {
 public:
  /// `timeline` outlives the communicator and its operations.
  ProfiledCommunicator(std::unique_ptr<Communicator> owned, Timeline& timeline);
  /// `inner` outlives the communicator.
  ProfiledCommunicator(Communicator& inner, Timeline& timeline);

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  const std::string& name() const override { return inner_.name(); }
  std::string_view transport() const override { return inner_.transport(); }

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
  std::unique_ptr<Communicator> owned_;
  Communicator& inner_;
  Timeline& timeline_;
};

}  // namespace boostr
