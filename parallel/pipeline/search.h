#pragma once

#include "parallel/pipeline/kinds.h"

namespace boostr {

/// The schedule with the least bubble rate that keeps within the request's memory: the best of the
/// fixed kinds that fit its shape and, with one chunk per rank, of schedules that are constructed
/// for its costs. Error(usage) if there is none. The same request gives the same schedule.
Schedule search_schedule(const ScheduleRequest& request);

}  // namespace boostr
