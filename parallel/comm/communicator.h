#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "kernels/runtime/view.h"

namespace boostr {

enum class ReduceOp : std::uint8_t { sum, max, min };

/// A collective or message in flight. wait() returns when its result is in place and the buffers may be touched; the
/// destructor waits, so forgetting is slow, never wrong. Errors of the operation are thrown by wait().
class Work {
 public:
  Work() = default;  ///< already done
  explicit Work(std::function<void()> wait) : wait_(std::move(wait)) {}
  Work(Work&& other) noexcept : wait_(std::exchange(other.wait_, nullptr)) {}
  Work& operator=(Work&& other);
  ~Work();
  void wait();

 private:
  std::function<void()> wait_;
};

/// A group of ranks that exchange contiguous buffers. Every member calls the same operations in the same order. Reductions
/// add in rank order, so two runs give the same bits; bf16 and f16 are summed in f32 and rounded once. Operations on one
/// communicator may overlap; the caller keeps buffers alive until wait(). Used by one host thread per rank.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// A short name for messages: "world", "dp".
  virtual const std::string& name() const = 0;

  /// buffer = reduction over ranks of buffer, the same bits on every rank.
  virtual Work all_reduce(Out buffer, ReduceOp op = ReduceOp::sum) = 0;
  /// output = this rank's 1/size piece of the reduction of input (size * output elements).
  virtual Work reduce_scatter(Out output, In input, ReduceOp op = ReduceOp::sum) = 0;
  /// output (size * input elements) = the inputs of all ranks in rank order. input may be its own piece of output.
  virtual Work all_gather(Out output, In input) = 0;
  /// Piece r of output = piece rank() of rank r's input.
  virtual Work all_to_all(Out output, In input) = 0;
  virtual Work broadcast(Out buffer, int root) = 0;
  virtual Work send(In buffer, int destination, int tag = 0) = 0;
  virtual Work recv(Out buffer, int source, int tag = 0) = 0;
  virtual void barrier() = 0;
  /// The ranks that pass the same color, ordered by key; collective over this communicator.
  virtual std::unique_ptr<Communicator> split(int color, int key, std::string name) = 0;

  /// Memory that the group's reductions read without copying (a shared window inside one host); ordinary memory elsewhere.
  /// Collective; freed with the communicator.
  virtual Out allocate_shared(DType dtype, std::int64_t numel) = 0;

  /// An operation that waits longer than this ends the process with exit code 7 and a message that names the operation and
  /// the missing ranks.
  virtual void set_timeout(std::chrono::duration<double> timeout) = 0;
};

}  // namespace boostr
