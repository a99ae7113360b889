#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/runtime/error.h"
#include "kernels/runtime/view.h"

namespace boostr {

/// How the ranks' values become one. Integers wrap around; max and min of a NaN are NaN.
enum class ReduceOp : std::uint8_t { sum, max, min };

/// "sum", "max", "min".
std::string_view name(ReduceOp op);

/// What an operation is about, for messages: "gradients of bucket 3 of 13"; null: nothing to say.
using Subject = std::shared_ptr<const std::string>;

/// A collective or message in flight. wait() returns when its result is in place and the buffers
/// may be touched; the destructor waits, so forgetting is slow, never wrong. Errors of the
/// operation are thrown by wait(); in the destructor they are swallowed, and the communicator's
/// next operation throws them.
class Work {
 public:
  /// What a communicator keeps of an operation until it is waited for.
  class Pending {
   public:
    virtual ~Pending() = default;
    virtual void wait() = 0;
  };

  Work() = default;  ///< already done
  explicit Work(std::unique_ptr<Pending> pending);
  Work(Work&&) noexcept = default;
  /// Waits for the operation it held before.
  Work& operator=(Work&& other) noexcept;
  ~Work();
  void wait();

 private:
  std::unique_ptr<Pending> pending_;
};

/// A group of ranks that exchange contiguous buffers. Every member calls the same operations in the
/// same order; a call that differs between ranks is an Error(communication) that shows both.
/// Reductions add in rank order, so two runs give the same bits on every rank; bf16 and f16 are
/// summed in f32 and rounded once.
///
/// Operations are asynchronous and may overlap, in any number; they may be waited for in any order.
/// The caller keeps buffers alive, and leaves them alone, until wait(). Operations move forward
/// inside calls of any communicator of this rank (every start, wait and progress()), never behind
/// the caller's back: a rank that waits does the work that is ready, for the others too. Used by
/// one host thread per rank; groups may be used only while the world they were split from lives.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// A short name for messages: "world", "dp".
  virtual const std::string& name() const = 0;
  /// What carries the bytes: "self", "threads", "shared memory", "messages".
  virtual std::string_view transport() const = 0;

  /// buffer = reduction over ranks of buffer, the same bits on every rank.
  virtual Work all_reduce(Out buffer, ReduceOp op = ReduceOp::sum, Subject about = {}) = 0;
  /// output = this rank's 1/size piece of the reduction of input (size * output elements). output
  /// may be this rank's own piece of input.
  virtual Work reduce_scatter(Out output, In input, ReduceOp op = ReduceOp::sum,
                              Subject about = {}) = 0;
  /// output (size * input elements) = the inputs of all ranks in rank order. input may be its own
  /// piece of output.
  virtual Work all_gather(Out output, In input, Subject about = {}) = 0;
  /// Piece r of output = piece rank() of rank r's input.
  virtual Work all_to_all(Out output, In input) = 0;
  /// buffer = buffer of rank `root`.
  virtual Work broadcast(Out buffer, int root) = 0;
  /// Messages between a pair of ranks with the same tag arrive in the order they were sent; a
  /// receiver that expects another number of bytes is an Error(communication). Done when the buffer
  /// may be reused, which may be before or after the message was received.
  virtual Work send(In buffer, int destination, int tag = 0, Subject about = {}) = 0;
  virtual Work recv(Out buffer, int source, int tag = 0, Subject about = {}) = 0;
  /// Returns when every rank has called it.
  virtual void barrier() = 0;
  /// The ranks that pass the same color (any int), ordered by key, then rank; collective over this
  /// communicator.
  virtual std::unique_ptr<Communicator> split(int color, int key, std::string name) = 0;

  /// Zero-filled memory that the group's collectives use without copying (shared inside one host);
  /// ordinary memory elsewhere. Collective, the same size on every rank; freed with the
  /// communicator.
  virtual Out allocate_shared(DType dtype, std::int64_t numel, Subject about = {}) = 0;

  /// Moves what is in flight forward, without waiting. Worth calling now and then in a long
  /// computation.
  virtual void progress() = 0;

  /// How long this rank's calls and waits have held its thread up, over all its communicators of one
  /// world, in seconds; 0 where nobody counts.
  virtual double held_up_seconds() const { return 0; }

  /// Of this rank's communicators over one world: an operation that waits longer than this ends the
  /// run with exit code 7 and a message that names the operation and the missing ranks. (Between
  /// processes the job is ended; between threads wait() throws Error(communication).)
  virtual void set_timeout(std::chrono::duration<double> timeout) = 0;

  /// Takes all other ranks of the world down, whatever they wait for. Between processes it ends the
  /// job with this exit code and does not return; between threads the others' waits throw
  /// Error(communication) with `reason`. The caller has printed what there is to print.
  virtual void abort(ExitCode code, const std::string& reason) = 0;
};

}  // namespace boostr
