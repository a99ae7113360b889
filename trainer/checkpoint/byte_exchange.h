#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/comm/communicator.h"

namespace boostr {

/// Every rank's bytes, in rank order, on every rank. Collective.
std::vector<std::string> all_gather_bytes(Communicator& group, std::string_view mine);

/// The root's bytes on every rank. Collective.
std::string broadcast_bytes(Communicator& group, std::string_view mine, int root = 0);

/// Lets all ranks fail together: if any rank's `failure` is not empty, throws Error(checkpoint)
/// with all failures and their ranks, the same on every rank. Collective.
void fail_together(Communicator& group, const std::string& failure);

/// Runs `attempt` and returns the message of the exception it throws, or "".
std::string failure_of(const std::function<void()>& attempt);

}  // namespace boostr
