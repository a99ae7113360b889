#include "launch/cli_verbs.h"

#include <CLI/CLI.hpp>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/kinds.h"

namespace boostr {
namespace {

constexpr std::string_view exit_codes = R"(
Exit codes:
  0   done                                   5   out of memory
  2   command line or recipe                 6   a number is not finite, or differs (verify)
  3   training data                          7   a rank died or hung
  4   a checkpoint cannot be written, read or used
  75  stopped on request and saved (unless checkpoint.interval is 0): run the
      same command again to go on
  1   a bug in boostr-train)";

}  // namespace

std::string refuse_no_file(const std::string& path) { return path.empty() ? "names no file" : ""; }

std::string footer(std::string_view examples) {
  return text("\nExamples:\n", examples, exit_codes);
}

void define_schedule(CLI::App& app, ScheduleOptions& options) {
  CLI::App* schedule = app.add_subcommand(
      "schedule", "Show a pipeline schedule: its bubbles, its memory and its timeline");
  schedule
      ->add_option("--kind", options.kind,
                   text("one of ", schedule_kind_names(), ", or a CSV file (docs/schedules.md)"))
      ->required()
      ->type_name("KIND");
  const auto add_count = [&](const char* name, int& count, const char* purpose) {
    schedule->add_option(name, count, purpose)->type_name("N")->check(CLI::Range(1, 1 << 14));
  };
  add_count("--stages", options.shape.stages, "ranks of the pipeline; a file has its own");
  add_count("--microbatches", options.shape.microbatches,
            "microbatches of a step; a file has its own");
  add_count(
      "--chunks", options.shape.chunks,
      "parts of the model that each rank holds (default: as few as the kind takes; for auto the "
      "better of 1 and 2)");
  schedule
      ->add_option("--times", options.times,
                   "how long a stage's forward, gradient of the input, gradients of the weights "
                   "and a message take, in ms (default: 1,1,1,0)")
      ->type_name("F,B,W,COMM")
      ->delimiter(',')
      ->expected(4);
  schedule
      ->add_option("--memory-limit", options.memory_limit,
                   "largest peak of activations, in multiples of 1f1b's (default: 1 for auto)")
      ->type_name("X")
      ->check(CLI::PositiveNumber);
  schedule
      ->add_option("--weight-memory", options.weight_memory,
                   "part of a microbatch's activations that is kept between B and W")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  const auto add_file = [&](const char* name, std::string& path, const char* purpose) {
    schedule->add_option(name, path, purpose)->type_name("FILE")->check(refuse_no_file);
  };
  add_file("--csv", options.csv, "write the schedule there");
  add_file("--svg", options.svg, "draw the timeline there");
  schedule->add_option("--width", options.width, "of the printed timeline, in characters")
      ->type_name("N")
      ->check(CLI::Range(10, 10000))
      ->capture_default_str();
  schedule->add_flag("--json", options.json, "print one JSON object instead");
  schedule->footer(
      footer("  boostr-train schedule --kind zb_h2 --stages 8 --microbatches 24 "
             "--times 18.5,18.1,9.3,0.6\n"
             "  boostr-train schedule --kind zb_v --stages 4 --microbatches 8 --svg zb_v.svg\n"
             "  boostr-train schedule --kind auto --stages 8 --microbatches 24 "
             "--times 18.5,18.1,9.3,0.6 --memory-limit 2\n"
             "  boostr-train schedule --kind 1f1b --stages 4 --microbatches 8 --csv mine.csv\n"
             "  boostr-train schedule --kind mine.csv --json\n"));
}

}  // namespace boostr
