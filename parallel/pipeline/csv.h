#pragma once

#include <string>

#include "parallel/pipeline/schedule.h"

namespace boostr {

/// A schedule as CSV, which a spreadsheet shows as it runs: a line per rank, rank 0 first, and a
/// cell per pass, in the rank's order. A cell is F (forward), B (gradient of the input), W
/// (gradients of the weights) or BW (both at once) with the microbatch's number and, where ranks
/// hold more than one chunk, a dot and the chunk's: F0, BW3, W12.1. Microbatches and chunks count
/// from 0. A first line "placement,v" places odd chunks on the ranks in reverse; without it chunk c
/// of rank r is virtual stage c * ranks + r. Empty cells and lines, and those that begin with #,
/// mean nothing.
std::string schedule_csv(const Schedule& schedule);

/// The schedule that `csv` holds. Error(usage) with `name`, line and column if a cell is none or
/// the schedule is not valid.
Schedule parse_schedule_csv(const std::string& csv, const std::string& name);

/// The schedule in a file; Error(usage) if that cannot be read.
Schedule read_schedule_csv(const std::string& path);

}  // namespace boostr
