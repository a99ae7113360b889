#pragma once

#include <chrono>
#include <functional>

#include "parallel/comm/communicator.h"

namespace boostr {

/// Runs `rank_main` on n threads that are the ranks of one world, and returns when all have
/// returned. When a rank throws, the others' waits throw too, and the first failure is rethrown
/// here. The world's communicators work as between processes of one host (the same code over memory
/// that the threads share), so that a test with threads tests that path. An operation that waits
/// longer than `timeout` throws.
void run_ranks(int n, const std::function<void(Communicator& world)>& rank_main,
               std::chrono::duration<double> timeout = std::chrono::seconds(60));

}  // namespace boostr
