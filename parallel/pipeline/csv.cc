#include "parallel/pipeline/csv.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

#include "kernels/runtime/error.h"
#include "parallel/pipeline/validate.h"

namespace boostr {
namespace {

/// Bound what a mistyped cell makes the reader believe in.
constexpr int most_microbatches = 10'000, most_chunks = 100;

/// A part of a file, both counted from 1.
struct Place {
  std::size_t line = 1, column = 1;
};

/// What stands in a cell, without the blanks around it.
struct Cell {
  std::string_view words;
  Place place;
};

/// One rank's line; passes and places correspond.
struct Row {
  std::vector<Pass> passes;
  std::vector<Place> places;
  Place end;
};

template <class... Parts>
[[noreturn]] void refuse(const std::string& name, const Place& place, const Parts&... message) {
  throw Error(ExitCode::usage, text(name, ":", place.line, ":", place.column, ": ", message...));
}

/// The cells of a line that are not empty; none of a comment.
std::vector<Cell> cells_of(std::string_view line, std::size_t number) {
  constexpr std::string_view blanks = " \t\r";
  std::vector<Cell> cells;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    const std::size_t first = line.find_first_not_of(blanks, begin);
    if (first < end) {
      const std::size_t last = line.find_last_not_of(blanks, end - 1);
      cells.push_back({line.substr(first, last + 1 - first), {number, first + 1}});
    }
    begin = end + 1;
  }
  if (!cells.empty() && cells.front().words.front() == '#') cells.clear();
  return cells;
}

/// Takes a number below `bound` off the front of `words`.
bool take_number(std::string_view& words, int bound, int& number) {
  const auto [end, error] = std::from_chars(words.data(), words.data() + words.size(), number);
  if (error != std::errc() || words.front() == '-' || number >= bound) return false;
  words.remove_prefix(static_cast<std::size_t>(end - words.data()));
  return true;
}

bool parse_pass(std::string_view words, Pass& pass) {
  const std::size_t letters = std::min(words.find_first_not_of("BFW"), words.size());
  constexpr std::array kinds = {PassKind::forward, PassKind::backward, PassKind::backward_input,
                                PassKind::backward_weight};
  const auto kind =
      std::ranges::find(kinds, words.substr(0, letters), [](PassKind each) { return name(each); });
  if (kind == kinds.end()) return false;
  pass.kind = *kind;
  words.remove_prefix(letters);
  if (!take_number(words, most_microbatches, pass.microbatch)) return false;
  if (!words.starts_with('.')) return words.empty();
  words.remove_prefix(1);
  return take_number(words, most_chunks, pass.chunk) && words.empty();
}

Row parse_row(const std::vector<Cell>& cells, const std::string& name) {
  Row row;
  for (const auto& [words, place] : cells) {
    Pass pass;
    if (!parse_pass(words, pass))
      refuse(name, place, "'", words, "' is no pass: F, B, W or BW with a microbatch below ",
             most_microbatches, " and, after a dot, a chunk below ", most_chunks,
             ", like F0 or BW3.1");
    row.passes.push_back(pass);
    row.places.push_back(place);
  }
  const Cell& last = cells.back();
  row.end = {last.place.line, last.place.column + last.words.size()};
  return row;
}

Placement parse_placement(const std::vector<Cell>& cells, const std::string& name) {
  const bool known = cells.size() == 2 && (cells[1].words == "looped" || cells[1].words == "v");
  if (!known) refuse(name, cells.back().place, "placement is 'placement,looped' or 'placement,v'");
  return cells[1].words == "v" ? Placement::v_shaped : Placement::looped;
}

PipelineShape shape_of(const std::vector<Row>& rows) {
  PipelineShape shape{.stages = static_cast<int>(rows.size())};
  for (const Row& row : rows)
    for (const Pass& pass : row.passes) {
      shape.microbatches = std::max(shape.microbatches, pass.microbatch + 1);
      shape.chunks = std::max(shape.chunks, pass.chunk + 1);
    }
  return shape;
}

}  // namespace

std::string schedule_csv(const Schedule& schedule) {
  std::string csv = schedule.placement == Placement::v_shaped ? "placement,v\n" : "";
  for (const std::vector<Pass>& passes : schedule.passes) {
    for (std::size_t i = 0; i < passes.size(); ++i)
      csv += (i > 0 ? "," : "") + name(passes[i], schedule.shape.chunks);
    csv += "\n";
  }
  return csv;
}

Schedule parse_schedule_csv(const std::string& csv, const std::string& name) {
  Schedule schedule;
  std::vector<Row> rows;
  std::istringstream lines(csv);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::vector<Cell> cells = cells_of(line, ++number);
    if (cells.empty()) continue;
    if (rows.empty() && cells.front().words == "placement")
      schedule.placement = parse_placement(cells, name);
    else
      rows.push_back(parse_row(cells, name));
  }
  if (rows.empty()) refuse(name, {}, "no rank has any pass");
  schedule.shape = shape_of(rows);
  for (const Row& row : rows) schedule.passes.push_back(row.passes);
  if (const auto fault = find_fault(schedule)) {
    const Row& row = rows[fault->rank];
    const bool missing = fault->position == row.places.size();
    refuse(name, missing ? row.end : row.places[fault->position], "rank ", fault->rank, ": ",
           fault->message);
  }
  return schedule;
}

Schedule read_schedule_csv(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream csv;
  csv << file.rdbuf();
  require(file.is_open() && !file.bad(), ExitCode::usage, "cannot read the schedule '", path,
          "': ", std::strerror(errno));
  return parse_schedule_csv(csv.str(), path);
}

}  // namespace boostr
