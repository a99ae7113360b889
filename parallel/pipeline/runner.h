#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "ops/autograd.h"
#include "parallel/comm/communicator.h"
#include "parallel/pipeline/schedule.h"
#include "parallel/pipeline/simulate.h"

namespace boostr {

/// The chunks of a model that a rank holds, as a runner calls them.
class PipelineChunks {
 public:
  virtual ~PipelineChunks() = default;
  /// The output of a chunk: of the last virtual stage a loss of one element, else what the next one
  /// takes. `input` is undefined for the first virtual stage.
  virtual Tensor forward(int chunk, int microbatch, const Tensor& input) = 0;
  /// The backward that comes next delivers gradients of the chunk's weights, the last ones of the
  /// step if `last`.
  virtual void expect_weight_gradients(int chunk, bool last) = 0;
};

/// What flows from a virtual stage to the next, and as its gradient back: one size for all.
struct PipelineStream {
  Shape shape;
  DType dtype = DType::f32;
};

/// Where a run may turn out to be in vain.
struct PipelineGate {
  /// By rank, after how many passes: those of warm_up(schedule). Empty: there is no gate.
  std::vector<std::size_t> after;
  /// Whether to go on, the same on all ranks. May be collective.
  std::function<bool()> may_go_on;
};

/// Runs schedules: one rank's passes in their order, over a group whose rank r is rank r of the
/// schedule. Inputs are asked for one pass ahead; outputs are sent as soon as they are there, and
/// most_waiting_messages of each direction to each rank may be on their way.
///
/// The gradients of a chunk's weights are added up in the order of the microbatches whatever the
/// schedule says: W of a microbatch before its turn waits until those before it are done. So all
/// schedules give the same bits.
class PipelineRunner {
 public:
  /// `group` must outlive the runner. The clocks of ranks are compared, so it is collective.
  PipelineRunner(Communicator& group, PipelineStream stream);

  /// Runs this rank's passes of a valid schedule over `chunks`. Collective. A schedule may have
  /// forwards alone, whose outputs are let go. Returns whether it ran to its end: where the gate
  /// says no, everything so far is forgotten, and no message is under way.
  bool run(const Schedule& schedule, PipelineChunks& chunks, const PipelineGate& gate = {});

  /// Of this rank in all runs so far, in seconds.
  struct Times {
    double span = 0;  ///< from the begin of the first pass to the end of the last
    double work = 0;  ///< in passes
    double idle = 0;  ///< in runs, but in no pass
  };
  const Times& times() const { return times_; }

  /// Seconds since a moment that is the same on all ranks, as far as a barrier tells.
  double now() const;
  /// When this rank's passes of the last run ran, by that clock.
  const std::vector<TimedPass>& timeline() const { return timeline_; }
  /// Of all ranks. Collective.
  PipelineTimeline gather_timeline() const;

 private:
  /// From its F until its B.
  struct Live {
    Tensor input, output;
  };
  struct Incoming {
    Tensor data;
    Work work;
  };
  struct Outgoing {
    Tensor data;
    Work work;
  };
  /// Which chunk and microbatch.
  using Key = std::pair<int, int>;
  /// What one run is in the middle of.
  struct Run {
    const Schedule& schedule;
    PipelineChunks& chunks;
    bool keeps_graphs;
    std::map<std::size_t, Incoming> incoming = {};  ///< by position of the pass
    /// Between chunks of this rank.
    std::map<std::pair<PassKind, Key>, Tensor> handed_over = {};
    std::map<Key, Live> live = {};
    std::map<Key, WeightGrads> weight_grads = {};  ///< from B until W
    std::map<int, int> next_weight = {};           ///< by chunk: the microbatch whose turn it is
    std::set<Key> due = {};                        ///< whose W was asked for and has not run
    std::map<std::pair<bool, int>, std::deque<Outgoing>> outgoing = {};  ///< by direction and rank
  };

  int rank() const { return group_.rank(); }
  void add_times(double begin, double end);
  /// Runs the passes [begin, end).
  void run_passes(Run& run, std::size_t begin, std::size_t end);
  /// Takes the messages that the warm-ups of other ranks have sent here and nobody will ask for.
  void take_back(Run& run, const std::vector<std::size_t>& warm_up);
  Incoming receive(const Schedule& schedule, const Pass& pass, StagePlace source);
  void ask_for_input(Run& run, std::size_t position);
  Tensor input_of(Run& run, std::size_t position);
  void deliver(Run& run, const Pass& pass, const Tensor& output);
  /// These return what another virtual stage waits for, if any.
  Tensor execute(Run& run, const Pass& pass, const Tensor& input);
  Tensor forward(Run& run, const Pass& pass, const Tensor& input);
  Tensor backward(Run& run, const Pass& pass, const Tensor& gradient);
  void weight_gradients(Run& run, const Key& key);

  Communicator& group_;
  PipelineStream stream_;
  double epoch_ = 0;  ///< of this rank's clock
  std::vector<TimedPass> timeline_;
  Times times_;
};

}  // namespace boostr
