#include "parallel/comm/mpi_group.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "parallel/comm/mpi_operation.h"
#include "parallel/comm/shared_group.h"

namespace boostr {

MpiGroup::MpiGroup(std::shared_ptr<MpiComm> comm, std::vector<int> hosts, const MpiProcess& process)
    : comm_(std::move(comm)),
      hosts_(std::move(hosts)),
      process_(process),
      turn_(std::make_shared<std::uint64_t>(0)) {}

std::shared_ptr<Operation> MpiGroup::start(const Call& call) {
  if (call.signature.kind == CallKind::send) return mpi_send(*comm_, call, progress());
  if (call.signature.kind == CallKind::recv) return mpi_recv(*comm_, call, progress());
  auto operation = std::make_shared<MpiOperation>(comm_, call, next_sequence_++, turn_);
  progress().start(operation);
  return operation;
}

std::unique_ptr<Group> MpiGroup::subset(std::span<const int> members, int number) {
  std::vector<int> hosts;
  for (const int member : members) hosts.push_back(hosts_[static_cast<std::size_t>(member)]);
  return make_mpi_group(comm_->subset(members, number), std::move(hosts), process_);
}

std::byte* MpiGroup::allocate_shared(std::size_t bytes) {
  Buffer& buffer = shared_.emplace_back(bytes);
  std::memset(buffer.data(), 0, bytes);
  return buffer.data();
}

void MpiGroup::abort(ExitCode code, const std::string&) { process_.world->abort(code); }

std::unique_ptr<Group> make_mpi_group(std::shared_ptr<MpiComm> comm, std::vector<int> hosts,
                                      const MpiProcess& process) {
  if (std::ranges::all_of(hosts, [&](int host) { return host == hosts[0]; })) {
    return std::make_unique<SharedGroup>(std::make_unique<MpiTransport>(std::move(comm), process));
  }
  return std::make_unique<MpiGroup>(std::move(comm), std::move(hosts), process);
}

}  // namespace boostr
