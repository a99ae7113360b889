#pragma once

#include <string>
#include <vector>

#include "kernels/runtime/timeline.h"
#include "parallel/pipeline/simulate.h"

namespace boostr {

/// The passes of a pipeline on one rank, which holds `chunks` chunks, step by step; in seconds since
/// the timeline of its events began.
struct PassTrack {
  std::vector<std::vector<TimedPass>> steps;
  int chunks = 1;
};

/// The events of one rank as members of a Chrome trace's `traceEvents` (the Trace Event Format,
/// which Perfetto and chrome://tracing open): one process per rank, its training thread a track,
/// and its passes another, if there are any, with what lies idle between them. Kernels carry their
/// type, shapes, FLOPs and bytes, passes their microbatch and chunk.
std::string trace_events(const std::vector<TimelineEvent>& events, int rank,
                         const PassTrack& track = {});

/// The file that holds the members of all ranks.
std::string chrome_trace(const std::vector<std::string>& events_by_rank);

}  // namespace boostr
