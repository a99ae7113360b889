#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "trainer/metrics/console.h"
#include "trainer/metrics/metrics_log.h"
#include "trainer/metrics/rank_times.h"
#include "trainer/metrics/tensorboard.h"
#include "trainer/metrics/throughput.h"
#include "trainer/recipe.h"
#include "trainer/trainer.h"

namespace boostr {

/// Everything a run tells about itself: console, metrics.jsonl, TensorBoard, loss.svg. Rank 0
/// writes; the others only take part in what is measured together.
class Reporter {
 public:
  struct Setup {
    bool terminal = false;
    double flops_per_token = 0;
    double peak_flops = 0;       ///< of all ranks together
    double unigram_entropy = 0;  ///< of the training text, nats per token; 0: unknown
    std::optional<std::int64_t> resumed_step;
  };
  Reporter(const Recipe& recipe, Communicator& world, const Setup& setup);

  /// A line for people; a line {"event": name, ...} for programs.
  void say(const std::string& line) { console_.say(line); }
  void event(const std::string& name, std::int64_t step, const std::string& json_object);

  /// `pipeline`: this rank's times so far.
  void begin_step(const PipelineRunner::Times& pipeline);
  /// Collective. `logged`: this step has a row. The next one may have begun.
  void end_step(const StepReport& report, const PipelineRunner::Times& pipeline, bool logged);
  /// Collective: what memory is for, on the rank that holds most of each.
  void memory(std::int64_t step);
  void validation(std::int64_t step, const ValidationReport& report);
  void draw_picture();
  /// The last words, collective: where the loss came from and got to, and where everything lies.
  void summary(const std::string& resume_command, std::int64_t last_checkpoint);
  void finish_bar() { console_.finish(); }

 private:
  double eta(std::int64_t step) const;
  /// Of this rank until now.
  RankTimes times_until_now(const PipelineRunner::Times& pipeline) const;
  /// Collective.
  MetricsRow make_row(const StepReport& report);

  Recipe recipe_;
  Communicator& world_;
  Setup setup_;
  Console console_;
  Throughput throughput_;
  RankTimes at_begin_;  ///< of the step, or at the end of the one before if that came later
  RankTimes window_;    ///< since the last row
  std::unique_ptr<MetricsLog> log_;                 ///< rank 0 only
  std::unique_ptr<TensorBoardWriter> tensorboard_;  ///< rank 0 only
  double first_loss_ = 0;
  std::deque<double> last_losses_;  ///< of the last tenth of the run
  std::int64_t first_step_ = 0, last_step_ = 0;
  std::optional<std::int64_t> next_steady_step_;
  std::string memory_;                    ///< by use, for people
  std::uint64_t system_allocations_ = 0;  ///< when the steady state began
};

}  // namespace boostr
