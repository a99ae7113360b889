#pragma once

#include <barrier>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/runtime/error.h"
#include "parallel/comm/communicator.h"

namespace boostr::test {

/// Ranks as threads, with just the operations that checkpoints use.
class ThreadWorld : public Communicator {
 public:
  struct Shared {
    explicit Shared(int size)
        : size(size), barrier(size), buffers(static_cast<std::size_t>(size)) {}
    int size;
    std::barrier<> barrier;
    std::vector<const void*> buffers;
  };
  ThreadWorld(std::shared_ptr<Shared> shared, int rank) : shared_(std::move(shared)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return shared_->size; }
  const std::string& name() const override { return name_; }
  Work all_gather(Out output, In input) override {
    exchange(input.data, [&] {
      for (std::size_t r = 0; r < shared_->buffers.size(); ++r) {
        std::memcpy(output.as<std::byte>() + r * input.bytes(), shared_->buffers[r], input.bytes());
      }
    });
    return {};
  }
  Work broadcast(Out buffer, int root) override {
    exchange(buffer.data, [&] {
      if (rank_ != root)
        std::memcpy(buffer.data, shared_->buffers[static_cast<std::size_t>(root)],
                    In(buffer).bytes());
    });
    return {};
  }
  void barrier() override { shared_->barrier.arrive_and_wait(); }

  Work all_reduce(Out, ReduceOp) override { return unused(); }
  Work reduce_scatter(Out, In, ReduceOp) override { return unused(); }
  Work all_to_all(Out, In) override { return unused(); }
  Work send(In, int, int) override { return unused(); }
  Work recv(Out, int, int) override { return unused(); }
  std::unique_ptr<Communicator> split(int, int, std::string) override {
    unused();
    return nullptr;
  }
  Out allocate_shared(DType, std::int64_t) override {
    unused();
    return {};
  }
  void set_timeout(std::chrono::duration<double>) override {}

 private:
  [[noreturn]] static Work unused() { throw Error("not part of this test's communicator"); }
  void exchange(const void* mine, const std::function<void()>& copy) {
    shared_->buffers[static_cast<std::size_t>(rank_)] = mine;
    barrier();
    copy();
    barrier();
  }

  std::shared_ptr<Shared> shared_;
  int rank_;
  std::string name_ = "world";
};

/// Runs `body` as every rank of a world of `size`; rethrows what rank 0 threw.
inline void run_ranks(int size, const std::function<void(Communicator&)>& body) {
  auto shared = std::make_shared<ThreadWorld::Shared>(size);
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(size));
  const auto run = [&](int rank) {
    ThreadWorld world(shared, rank);
    try {
      body(world);
    } catch (...) {
      thrown[static_cast<std::size_t>(rank)] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int rank = 1; rank < size; ++rank) threads.emplace_back(run, rank);
    run(0);
  }
  for (const std::exception_ptr& error : thrown) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace boostr::test
