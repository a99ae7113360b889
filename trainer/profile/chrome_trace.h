#pragma once

#include <string>
#include <vector>

#include "kernels/runtime/timeline.h"

namespace boostr {

/// The events of one rank as members of a Chrome trace's `traceEvents` (the Trace Event Format,
/// which Perfetto and chrome://tracing open): one process per rank, its training thread the only
/// track. Kernels carry their type, shapes, FLOPs and bytes.
std::string trace_events(const std::vector<TimelineEvent>& events, int rank);

/// The file that holds the members of all ranks.
std::string chrome_trace(const std::vector<std::string>& events_by_rank);

}  // namespace boostr
