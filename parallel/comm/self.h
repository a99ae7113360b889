#pragma once

#include <memory>
#include <vector>

#include "ops/tensor.h"
#include "parallel/comm/communicator.h"
#include "parallel/comm/group.h"
#include "parallel/comm/mailbox.h"

namespace boostr {

/// The world of a process that runs alone.
std::unique_ptr<Communicator> self_world();

/// A group of one rank: collectives are copies, messages to itself wait in a mailbox.
class SelfGroup final : public Group {
 public:
  explicit SelfGroup(Progress& progress);

  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string_view transport() const override { return "self"; }
  Progress& progress() override { return progress_; }
  std::shared_ptr<Operation> start(const Call& call) override;
  std::unique_ptr<Group> subset(std::span<const int> members, int number) override;
  std::byte* allocate_shared(std::size_t bytes) override;
  std::vector<int> missing(std::uint64_t) const override { return {}; }
  std::vector<int> unfinished(std::uint64_t) const override { return {}; }
  /// Nobody else is there to be taken down.
  void abort(ExitCode, const std::string&) override {}

 private:
  Progress& progress_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::vector<Tensor> shared_;
};

}  // namespace boostr
