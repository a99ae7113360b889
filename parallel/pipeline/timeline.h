#pragma once

#include <string>

#include "parallel/pipeline/simulate.h"

namespace boostr {

/// The timeline in `columns` characters per rank, wide as the time it takes: passes by their names,
/// where these fit, else by their letters; dots where the rank waits.
std::string timeline_text(const PipelineTimeline& timeline, int columns, int chunks);

/// The schedule's timeline, in ms, as a self-contained SVG under a title: a row per rank, passes with their microbatches,
/// messages from the end of the pass that makes them to the begin of the one that takes them, a time
/// axis, a legend. Later chunks are paler. Readable on light and dark pages.
std::string timeline_svg(const Schedule& schedule, const PipelineTimeline& timeline,
                         const std::string& title);

}  // namespace boostr
