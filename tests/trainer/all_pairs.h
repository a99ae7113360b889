#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace boostr {

/// A cell of a product of axes: the index of a value on each axis.
using Cell = std::vector<std::size_t>;

/// Of axes with these numbers of values, those that `exists` holds for.
template <class Exists>
std::vector<Cell> all_cells(const std::vector<std::size_t>& axis_sizes, Exists&& exists) {
  std::vector<Cell> cells{Cell(axis_sizes.size())};
  for (std::size_t axis = 0; axis < axis_sizes.size(); ++axis) {
    std::vector<Cell> longer;
    for (Cell cell : cells)
      for (cell[axis] = 0; cell[axis] < axis_sizes[axis]; ++cell[axis]) longer.push_back(cell);
    cells = longer;
  }
  std::erase_if(cells, [&](const Cell& cell) { return !exists(cell); });
  return cells;
}

/// Cells of `all` in which every two values of different axes meet that meet in any. Greedy: the
/// next cell is one with the most pairs that no earlier one has. (It runs at the start of every
/// process of a test program, so the pairs are numbered rather than looked up.)
inline std::vector<Cell> cells_with_all_pairs(const std::vector<Cell>& all) {
  const std::size_t axes = all.front().size();
  std::size_t values = 0;  // on the longest axis
  for (const Cell& cell : all) values = std::max(values, std::ranges::max(cell) + 1);
  const auto for_each_pair = [&](const Cell& cell, auto&& body) {
    for (std::size_t a = 0; a < axes; ++a)
      for (std::size_t b = a + 1; b < axes; ++b)
        body(((a * axes + b) * values + cell[a]) * values + cell[b]);
  };
  std::vector<char> missing(axes * axes * values * values);
  for (const Cell& cell : all) for_each_pair(cell, [&](std::size_t pair) { missing[pair] = 1; });
  const auto gain = [&](const Cell& cell) {
    int pairs = 0;
    for_each_pair(cell, [&](std::size_t pair) { pairs += missing[pair]; });
    return pairs;
  };
  std::vector<Cell> chosen;
  while (std::ranges::count(missing, 1) > 0) {
    chosen.push_back(*std::ranges::max_element(all, {}, gain));
    for_each_pair(chosen.back(), [&](std::size_t pair) { missing[pair] = 0; });
  }
  return chosen;
}

}  // namespace boostr
