#include "trainer/profile/step_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace boostr {
namespace {

using Kind = TimelineEvent::Kind;

double seconds_of(const TimelineEvent& event) { return double(event.end - event.begin) * 1e-9; }

std::string shapes_of(const TimelineEvent& event) {
  std::string shapes;
  for (std::size_t i = 0; i < event.num_shapes; ++i)
    shapes += text(i == 0 ? "" : " ", event.shapes[i]);
  return shapes;
}

void add(ProfileRow& row, const TimelineEvent& event) {
  ++row.calls;
  row.seconds += seconds_of(event);
  row.flops += event.flops;
  row.bytes += event.bytes;
}

/// "12.3" for 12.3e9, or nothing for nothing.
std::string in_giga(double amount, int decimals) {
  return amount > 0 ? fmt::format("{:.{}f}", amount * 1e-9, decimals) : "";
}

constexpr std::size_t num_columns = 11;
using Cells = std::array<std::string, num_columns>;
const Cells headings{"kernel",  "type", "calls", "ms",      "share", "GFLOP",
                     "GFLOP/s", "GB",   "GB/s",  "of peak", "shapes"};
constexpr std::array<bool, num_columns> left_aligned{true,  true,  false, false, false, false,
                                                     false, false, false, false, true};

/// `seconds` of `profile`, in what a line has of time.
Cells time_cells(const std::string& name, double seconds, const StepProfile& profile) {
  Cells cells{name};
  cells[3] = fmt::format("{:.3f}", seconds / double(profile.steps) * 1e3);
  cells[4] = fmt::format("{:.1f} %", profile.seconds > 0 ? seconds / profile.seconds * 100 : 0);
  return cells;
}

void set_amounts(Cells& cells, const ProfileRow& row, std::int64_t steps) {
  cells[5] = in_giga(row.flops / double(steps), 3);
  cells[7] = in_giga(row.bytes / double(steps), 3);
  if (row.kind == Kind::communication || row.seconds <= 0) return;
  cells[6] = in_giga(row.flops / row.seconds, 1);
  cells[8] = in_giga(row.bytes / row.seconds, 1);
}

std::string title_of(const ProfileRow& row) {
  if (row.kind == Kind::communication) return "communication: " + row.name;
  return row.kind == Kind::data ? "data: " + row.name : row.name;
}

Cells cells_of(const ProfileRow& row, const StepProfile& profile, const MachinePeaks& peaks) {
  Cells cells = time_cells(title_of(row), row.seconds, profile);
  if (row.bytes > 0) cells[1] = name(row.dtype);
  cells[2] = fmt::format("{:.4g}", double(row.calls) / double(profile.steps));
  set_amounts(cells, row, profile.steps);
  if (const RowLimit limit = limit_of(row, peaks); limit.fraction > 0)
    cells[9] =
        fmt::format("{:.1f} % {}", limit.fraction * 100, limit.compute_bound ? "FMA   " : "memory");
  cells[10] = row.shapes;
  return cells;
}

/// The kernels' work over the time of the steps.
Cells total_cells(const StepProfile& profile) {
  Cells cells = time_cells("step", profile.seconds, profile);
  ProfileRow total;
  total.seconds = profile.seconds;
  for (const ProfileRow& row : profile.rows) {
    if (row.kind != Kind::kernel) continue;
    total.flops += row.flops;
    total.bytes += row.bytes;
  }
  set_amounts(cells, total, profile.steps);
  return cells;
}

std::string aligned(const std::vector<Cells>& lines) {
  std::array<std::size_t, num_columns> widths{};
  for (const Cells& cells : lines)
    for (std::size_t i = 0; i < num_columns; ++i) widths[i] = std::max(widths[i], cells[i].size());
  std::string table;
  for (const Cells& cells : lines) {
    std::string line;
    for (std::size_t i = 0; i < num_columns; ++i)
      line += left_aligned[i] ? fmt::format("{:<{}}  ", cells[i], widths[i])
                              : fmt::format("{:>{}}  ", cells[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    table += line + "\n";
  }
  return table;
}

}  // namespace

double StepProfile::other_seconds() const {
  double rest = seconds;
  for (const ProfileRow& row : rows) rest -= row.seconds;
  return rest;
}

StepProfile summarize(const std::vector<TimelineEvent>& events, bool by_shape) {
  StepProfile profile;
  std::map<std::tuple<Kind, std::string_view, DType, std::string>, ProfileRow> rows;
  for (const TimelineEvent& event : events) {
    if (event.kind == Kind::step) {
      ++profile.steps;
      profile.seconds += seconds_of(event);
      continue;
    }
    const std::string shapes = by_shape ? shapes_of(event) : "";
    ProfileRow& row = rows[{event.kind, event.name, event.dtype, shapes}];
    if (row.calls == 0) {
      row.kind = event.kind;
      row.name = event.name;
      row.dtype = event.dtype;
      row.shapes = shapes;
    }
    add(row, event);
  }
  for (auto& [key, row] : rows) profile.rows.push_back(std::move(row));
  std::ranges::stable_sort(profile.rows, [](const ProfileRow& a, const ProfileRow& b) {
    return a.kind != b.kind ? a.kind < b.kind : a.seconds > b.seconds;
  });
  return profile;
}

RowLimit limit_of(const ProfileRow& row, const MachinePeaks& peaks) {
  if (row.kind != Kind::kernel || row.seconds <= 0) return {};
  const auto peak = peaks.flops.find(row.dtype);
  const double computing =
      peak != peaks.flops.end() && peak->second > 0 ? row.flops / peak->second : 0;
  const double moving = peaks.bandwidth > 0 ? row.bytes / peaks.bandwidth : 0;
  return {std::max(computing, moving) / row.seconds, computing > moving};
}

std::string profile_table(const StepProfile& profile, const MachinePeaks& peaks) {
  std::vector<Cells> lines{headings};
  if (std::ranges::all_of(profile.rows, &std::string::empty, &ProfileRow::shapes))
    lines.front().back().clear();
  for (const ProfileRow& row : profile.rows) lines.push_back(cells_of(row, profile, peaks));
  lines.push_back(time_cells("everything else", profile.other_seconds(), profile));
  lines.push_back(total_cells(profile));
  return aligned(lines);
}

}  // namespace boostr
