#include "trainer/profile/chrome_trace.h"

#include <fmt/format.h>

#include <iterator>

namespace boostr {
namespace {

std::string_view category(TimelineEvent::Kind kind) {
  switch (kind) {
    case TimelineEvent::Kind::step:
      return "step";
    case TimelineEvent::Kind::kernel:
      return "kernel";
    case TimelineEvent::Kind::communication:
      return "communication";
    case TimelineEvent::Kind::data:
      return "data";
  }
  return "?";
}

/// Microseconds with all digits of the nanoseconds, so that nested events stay nested.
std::string microseconds(std::int64_t nanoseconds) {
  return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
}

std::string arguments(const TimelineEvent& event) {
  if (event.num_shapes == 0) return "{}";
  std::string shapes;
  for (std::size_t i = 0; i < event.num_shapes; ++i)
    shapes += text(i == 0 ? "\"" : ", \"", event.shapes[i], "\"");
  return fmt::format(R"({{"dtype": "{}", "shapes": [{}], "flops": {:.0f}, "bytes": {:.0f}}})",
                     name(event.dtype), shapes, event.flops, event.bytes);
}

/// An event of the track of passes; times in seconds.
std::string pass_event(const std::string& name, std::string_view category, double begin, double end,
                       int process, const std::string& arguments) {
  return fmt::format(
      ",\n"
      R"({{"name": "{}", "cat": "{}", "ph": "X", "ts": {:.3f}, "dur": {:.3f}, "pid": {}, "tid": 2, "args": {{{}}}}})",
      name, category, begin * 1e6, (end - begin) * 1e6, process, arguments);
}

std::string pass_events(const PassTrack& track, int process) {
  std::string members = fmt::format(
      ",\n"
      R"({{"name": "thread_name", "ph": "M", "pid": {}, "tid": 2, "args": {{"name": "pipeline"}}}})",
      process);
  for (const std::vector<TimedPass>& passes : track.steps)
    for (std::size_t i = 0; i < passes.size(); ++i) {
      const auto& [pass, begin, end] = passes[i];
      if (i > 0 && begin > passes[i - 1].end)
        members += pass_event("idle", "idle", passes[i - 1].end, begin, process, "");
      members +=
          pass_event(name(pass, track.chunks), "pass", begin, end, process,
                     fmt::format(R"("microbatch": {}, "chunk": {})", pass.microbatch, pass.chunk));
    }
  return members;
}

}  // namespace

std::string trace_events(const std::vector<TimelineEvent>& events, int rank,
                         const PassTrack& track) {
  // Viewers take process 0 for the system's idle one.
  const int process = rank + 1;
  std::string members = fmt::format(
      R"({{"name": "process_name", "ph": "M", "pid": {0}, "tid": 1, "args": {{"name": "rank {1}"}}}},
{{"name": "process_sort_index", "ph": "M", "pid": {0}, "tid": 1, "args": {{"sort_index": {1}}}}},
{{"name": "thread_name", "ph": "M", "pid": {0}, "tid": 1, "args": {{"name": "training"}}}})",
      process, rank);
  for (const TimelineEvent& event : events)
    fmt::format_to(
        std::back_inserter(members),
        ",\n"
        R"({{"name": "{}", "cat": "{}", "ph": "X", "ts": {}, "dur": {}, "pid": {}, "tid": 1, "args": {}}})",
        event.name, category(event.kind), microseconds(event.begin),
        microseconds(event.end - event.begin), process, arguments(event));
  return track.steps.empty() ? members : members + pass_events(track, process);
}

std::string chrome_trace(const std::vector<std::string>& events_by_rank) {
  std::string trace = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
  for (std::size_t rank = 0; rank < events_by_rank.size(); ++rank)
    trace += (rank == 0 ? "" : ",\n") + events_by_rank[rank];
  return trace + "\n]}\n";
}

}  // namespace boostr
