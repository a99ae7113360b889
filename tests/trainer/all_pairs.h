#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <tuple>
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
/// next cell is one with the most pairs that no earlier one has.
inline std::vector<Cell> cells_with_all_pairs(const std::vector<Cell>& all) {
  using Pair = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t>;  // axes and values
  const auto pairs_of = [](const Cell& cell) {
    std::vector<Pair> pairs;
    for (std::size_t a = 0; a < cell.size(); ++a)
      for (std::size_t b = a + 1; b < cell.size(); ++b) pairs.emplace_back(a, b, cell[a], cell[b]);
    return pairs;
  };
  std::set<Pair> missing;
  for (const Cell& cell : all)
    for (const Pair& pair : pairs_of(cell)) missing.insert(pair);
  const auto gain = [&](const Cell& cell) {
    return std::ranges::count_if(pairs_of(cell),
                                 [&](const Pair& pair) { return missing.contains(pair); });
  };
  std::vector<Cell> chosen;
  while (!missing.empty()) {
    chosen.push_back(*std::ranges::max_element(all, {}, gain));
    for (const Pair& pair : pairs_of(chosen.back())) missing.erase(pair);
  }
  return chosen;
}

}  // namespace boostr
