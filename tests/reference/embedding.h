#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Embedding in doubles. `ids` are whole numbers; those outside [first_row, first_row + rows)
/// belong to another shard.
namespace boostr::reference {

inline std::vector<double> embedding(std::span<const double> table, std::size_t columns,
                                     std::span<const double> ids, std::int64_t first_row) {
  std::vector<double> y(ids.size() * columns, 0.0);
  const auto rows = std::int64_t(table.size() / columns);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const std::int64_t row = std::int64_t(ids[t]) - first_row;
    if (row < 0 || row >= rows) continue;
    for (std::size_t i = 0; i < columns; ++i)
      y[t * columns + i] = table[std::size_t(row) * columns + i];
  }
  return y;
}

/// Adds dy's rows to `dtable`.
inline std::vector<double> embedding_grad(std::vector<double> dtable, std::span<const double> dy,
                                          std::size_t columns, std::span<const double> ids,
                                          std::int64_t first_row) {
  const auto rows = std::int64_t(dtable.size() / columns);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const std::int64_t row = std::int64_t(ids[t]) - first_row;
    if (row < 0 || row >= rows) continue;
    for (std::size_t i = 0; i < columns; ++i)
      dtable[std::size_t(row) * columns + i] += dy[t * columns + i];
  }
  return dtable;
}

}  // namespace boostr::reference
