#pragma once

#include <algorithm>
#include <cstdint>

namespace boostr {

/// A rectangle of a row-major matrix.
struct RowBlock {
  std::int64_t row = 0, column = 0;  ///< where it begins
  std::int64_t rows = 0, columns = 0;
  std::int64_t at = 0;  ///< its first element, counted from the beginning of the run
};

/// Calls visit(block) for the rectangles that `numel` consecutive elements from `begin` on of a
/// matrix with rows of `width` elements consist of: the rest of a row, whole rows, the beginning of
/// the last.
template <class Visit>
void for_each_row_block(std::int64_t begin, std::int64_t numel, std::int64_t width, Visit&& visit) {
  for (std::int64_t at = 0; at < numel;) {
    const std::int64_t row = (begin + at) / width, column = (begin + at) % width;
    const std::int64_t whole = column == 0 ? (numel - at) / width : 0;
    const std::int64_t columns = whole > 0 ? width : std::min(width - column, numel - at);
    const std::int64_t rows = std::max<std::int64_t>(whole, 1);
    visit(RowBlock{row, column, rows, columns, at});
    at += rows * columns;
  }
}

}  // namespace boostr
