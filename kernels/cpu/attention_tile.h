#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cpu/attention_geometry.h"
#include "kernels/cpu/round_up.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/transpose.h"

// The blocking scheme of attention, and the register tiles it is made of.
//
// Queries are the vector dimension. A *panel* is the 2 or 3 registers' width of queries of one
// head; q is packed once per panel as q^T [D][panel], so that
//   scores^T [keys][panel] = k q^T        broadcasts elements of k against vectors of queries,
//   out^T    [D][panel]   += v^T p^T      broadcasts elements of v against vectors of
//   probabilities,
// with k and v as they lie in memory (widened to the arithmetic type): nothing is transposed in the
// inner loops, and the maximum and the sum over keys are lane by lane. Keys come in tiles of
// `key_tile`, cut at absolute positions, so a query's result does not depend on which panels are
// worked on together. A panel's scores for one tile (9 to 18 KB) and its q^T lie in L1; the tile of
// k and v, shared by all panels of a task, in L2. A task is a run of panels of one key/value head;
// the panels of heads that share keys follow each other, so grouped queries fill tasks as well as
// separate heads do. Since the visible keys of a query are one interval, each vector of a panel's
// queries works on the interval that they see, to the row of a register tile, and only keys that
// some query of the panel does not see are masked.
//
// The backward pass has the same structure per task (scores^T, dp^T = v dout^T and dq^T = k^T ds^T
// are products with panels); p^T and ds^T of the task's panels are kept for one key tile and then
// give, with vectors along D,
//   dv [keys][D] += p^T dout, dk [keys][D] += ds^T q,   the sum running over all panels of the
//   task.
namespace boostr::cpu::BOOSTR_ISA {

/// Registers: AVX-512 and NEON have 32, AVX2 16. A tile of M x W accumulators leaves room for W
/// vectors of b and one broadcast, and loads few operands per multiply-add.
inline constexpr bool many_registers = simd_bytes != 32;
inline constexpr int panel_vectors = simd_bytes == 64 ? 2 : 3;
inline constexpr int panel_rows = many_registers ? 8 : 4;
inline constexpr int grad_vectors = 2;
inline constexpr int grad_rows = many_registers ? 8 : 6;
/// Queries in a panel.
template <class A>
inline constexpr int panel_width = panel_vectors* lanes<A>;
/// Keys in a tile: whole register tiles of either shape.
inline constexpr std::int64_t key_tile = 96;
static_assert(key_tile % panel_rows == 0 && key_tile % grad_rows == 0);

/// Rows of out^T and dq^T: D rounded up to register tiles and to the blocks that are transposed.
template <class A>
constexpr std::int64_t padded_dim(std::int64_t dim) {
  return round_up(dim, std::max(panel_rows, lanes<A>));
}
/// At least `count` elements, an odd number of cache lines: rows so far apart do not fall into a few
/// sets of the cache.
template <class A>
constexpr std::int64_t odd_lines(std::int64_t count) {
  constexpr std::int64_t line = 64 / sizeof(A);
  return (round_up(count, line) / line | 1) * line;
}
/// Elements from one row of a tile of k or v to the next.
template <class A>
constexpr std::int64_t tile_stride(std::int64_t dim) {
  return odd_lines<A>(padded_dim<A>(dim));
}

/// M rows of W vectors that the compiler keeps in registers.
template <int M, int W, class A>
struct RegisterTile {
  Vec<A> rows[M][W];
};

/// tile[i][v] += sum over k < depth of a(i, k) * b[k][v] for the vectors First <= v < First + Count,
/// where b's rows lie b_stride apart.
template <int First, int Count, int M, int W, class A, class Element>
[[gnu::always_inline]] inline void multiply_add(RegisterTile<M, W, A>& tile, std::int64_t depth,
                                                const A* b, std::int64_t b_stride, Element&& a) {
  for (std::int64_t k = 0; k < depth; ++k, b += b_stride) {
    RegisterTile<1, Count, A> row;
#pragma GCC unroll 8
    for (int w = 0; w < Count; ++w) row.rows[0][w] = load(b + (First + w) * lanes<A>);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      const Vec<A> broadcast = splat(a(i, k));
#pragma GCC unroll 8
      for (int w = 0; w < Count; ++w) tile.rows[i][First + w] += broadcast * row.rows[0][w];
    }
  }
}

/// The rows of a tile of keys that some query of each of a panel's vectors sees. Neither end moves
/// left from one vector to the next. What lies outside is not computed; vectors that do not all see
/// one place count as one.
struct SeenRows {
  /// Of the keys [first, first + count), with `lane_count` queries in a vector.
  SeenRows(const Panel& panel, const Visibility& visibility, int lane_count, std::int64_t first,
           std::int64_t count) {
    const auto row_of = [&](std::int64_t key) {
      return std::clamp<std::int64_t>(key - first, 0, count);
    };
    for (int w = 0; w < panel_vectors; ++w) {
      const std::int64_t query =
          panel.position + std::min<std::int64_t>(w * lane_count, panel.count - 1);
      const std::int64_t last_query =
          std::min<std::int64_t>(query + lane_count, panel.position + panel.count) - 1;
      begin[w] = row_of(visibility.keys_begin(query));
      end[w] = row_of(visibility.keys_end(last_query));
    }
    if (begin[panel_vectors - 1] <= end[0]) return;
    std::fill_n(begin, panel_vectors, begin[0]);
    std::fill_n(end, panel_vectors, end[panel_vectors - 1]);
  }
  std::int64_t first() const { return begin[0]; }
  std::int64_t last() const { return end[panel_vectors - 1]; }

  std::int64_t begin[panel_vectors], end[panel_vectors];
};

/// Calls body<First, Count>() for the vectors that see any of the rows [row, row + panel_rows).
template <int Cut = 1, class Body>
[[gnu::always_inline]] inline void with_vectors(const SeenRows& seen, std::int64_t row,
                                                Body&& body) {
  if constexpr (Cut == panel_vectors) {
    body.template operator()<0, panel_vectors>();
  } else if (seen.begin[Cut] >= row + panel_rows) {
    body.template operator()<0, Cut>();
  } else if (seen.end[panel_vectors - Cut - 1] <= row) {
    body.template operator()<panel_vectors - Cut, Cut>();
  } else {
    with_vectors<Cut + 1>(seen, row, body);
  }
}

/// A matrix of storage type S whose rows lie `stride` apart.
template <class S>
struct Rows {
  S* data;
  std::int64_t stride;
  std::int64_t count;  ///< rows
  std::int64_t dim;    ///< elements of a row
};

/// Rows that will soon be needed, asked for a few at a time between register tiles: the rows of one
/// head lie far apart, which the hardware does not foresee, and asking for many at once would stall
/// until most have arrived.
class FetchAhead {
 public:
  /// Puts `rows` before those that were added earlier. Past the limit they are not fetched.
  template <class S>
  void add(Rows<S> rows) {
    if (rows.count <= 0 || count_ == most) return;
    constexpr std::int64_t size = sizeof(S);
    pieces_[count_++] = {reinterpret_cast<const char*>(rows.data), rows.stride * size,
                         rows.dim * size, rows.count};
  }
  void clear() { count_ = 0; }

  /// Asks for the next rows, whose lines the processor can wait for beside its own.
  void step() {
    for (std::int64_t asked = 0; asked < bytes_per_step && count_ > 0;) {
      Piece& piece = pieces_[count_ - 1];
      for (std::int64_t at = 0; at < piece.bytes; at += 64)
        __builtin_prefetch(piece.row + at, 0, 2);
      asked += piece.bytes;
      piece.row += piece.stride;
      if (--piece.rows == 0) --count_;
    }
  }

 private:
  struct Piece {
    const char* row;
    std::int64_t stride, bytes, rows;
  };
  static constexpr int most = 8, bytes_per_step = 512;
  Piece pieces_[most];
  int count_ = 0;
};

/// Scores^T of a panel's queries for a tile of keys, or what is made of them: rows of panel_width,
/// `stride` apart.
template <class A>
struct Scores {
  A* row(std::int64_t key) const { return data + key * stride; }

  A* data;
  std::int64_t stride;
};

/// c = a b for the rows that are seen, to whole register tiles, zero for vectors of queries that see
/// none of a register tile's; a [rows][depth] lies by rows, b [depth][panel]. Flattened: where the
/// compiler leaves the body a function, each register tile costs a call.
template <class A>
[[gnu::noinline, gnu::flatten]] inline void multiply_rows(Scores<A> c, const A* a,
                                                          std::int64_t a_stride, const A* b,
                                                          const SeenRows& seen, std::int64_t depth,
                                                          FetchAhead& ahead) {
  constexpr int width = panel_width<A>;
  for (std::int64_t first = seen.first() / panel_rows * panel_rows; first < seen.last();
       first += panel_rows) {
    ahead.step();
    const A* corner = a + first * a_stride;
    with_vectors(seen, first, [&]<int First, int Count>() {
      RegisterTile<panel_rows, panel_vectors, A> tile{};
      multiply_add<First, Count>(tile, depth, b, width,
                                 [&](int i, std::int64_t k) { return corner[i * a_stride + k]; });
#pragma GCC unroll 8
      for (int i = 0; i < panel_rows; ++i)
#pragma GCC unroll 8
        for (int w = 0; w < panel_vectors; ++w)
          store(c.row(first + i) + w * lanes<A>, tile.rows[i][w]);
    });
  }
}

/// tile += a^T b over the rows of a and b that are seen: where vectors' intervals begin and end, for
/// those vectors alone.
template <int Cut = 1, int M, int W, class A, class Element>
[[gnu::always_inline]] inline void multiply_add_seen(RegisterTile<M, W, A>& tile,
                                                     const SeenRows& seen, Scores<A> b,
                                                     Element&& a) {
  const auto add = [&]<int First, int Count>(std::int64_t begin, std::int64_t end) {
    multiply_add<First, Count>(tile, end - begin, static_cast<const A*>(b.row(begin)), b.stride,
                               [&](int i, std::int64_t k) { return a(i, begin + k); });
  };
  if constexpr (Cut == W) {
    add.template operator()<0, W>(seen.begin[W - 1], seen.end[0]);
  } else {
    add.template operator()<0, Cut>(seen.begin[Cut - 1], seen.begin[Cut]);
    multiply_add_seen<Cut + 1>(tile, seen, b, a);
    add.template operator()<W - Cut, Cut>(seen.end[W - Cut - 1], seen.end[W - Cut]);
  }
}

/// c [rows][panel] = c * factor[panel] + a^T b (no factor: null) for rows a multiple of panel_rows;
/// a [depth][rows], b [depth][panel], over the rows that are seen.
template <class A>
[[gnu::noinline, gnu::flatten]] inline void multiply_columns(A* c, const A* factor, const A* a,
                                                             std::int64_t a_stride, Scores<A> b,
                                                             std::int64_t rows,
                                                             const SeenRows& seen,
                                                             FetchAhead& ahead) {
  constexpr int width = panel_width<A>;
  for (std::int64_t first = 0; first < rows; first += panel_rows) {
    ahead.step();
    RegisterTile<panel_rows, panel_vectors, A> tile;
    A* corner = c + first * width;
#pragma GCC unroll 8
    for (int i = 0; i < panel_rows; ++i)
#pragma GCC unroll 8
      for (int w = 0; w < panel_vectors; ++w)
        tile.rows[i][w] = load(corner + i * width + w * lanes<A>);
    if (factor != nullptr) {
#pragma GCC unroll 8
      for (int i = 0; i < panel_rows; ++i)
#pragma GCC unroll 8
        for (int w = 0; w < panel_vectors; ++w) tile.rows[i][w] *= load(factor + w * lanes<A>);
    }
    multiply_add_seen(tile, seen, b,
                      [&](int i, std::int64_t k) { return a[k * a_stride + first + i]; });
#pragma GCC unroll 8
    for (int i = 0; i < panel_rows; ++i)
#pragma GCC unroll 8
      for (int w = 0; w < panel_vectors; ++w)
        store(corner + i * width + w * lanes<A>, tile.rows[i][w]);
  }
}

/// packed [dim][panel] = factor * rows^T; columns past rows.count are zero.
template <class S, class A = Accumulator<std::remove_const_t<S>>>
[[gnu::noinline]] inline void pack_transposed(A* packed, Rows<S> rows, A factor) {
  constexpr int n = lanes<A>;
  for (std::int64_t column = 0; column < panel_width<A>; column += n) {
    for_each_vector(rows.dim, n, [&](std::int64_t d, std::int64_t valid) {
      Vec<A> square[n];
      for (int i = 0; i < n; ++i) {
        const bool inside = column + i < rows.count;
        square[i] =
            inside ? load_n(rows.data + (column + i) * rows.stride + d, valid) * factor : Vec<A>{};
      }
      transpose<A>(square);
      for (int i = 0; i < valid; ++i) store(packed + (d + i) * panel_width<A> + column, square[i]);
    });
  }
}

/// rows = (packed [padded dim][panel] * factor[panel])^T, rounded to the storage type.
template <class S, class A = Accumulator<S>>
[[gnu::noinline]] inline void unpack_transposed(Rows<S> rows, const A* packed, const A* factor) {
  constexpr int n = lanes<A>;
  for (std::int64_t column = 0; column < rows.count; column += n) {
    for_each_vector(rows.dim, n, [&](std::int64_t d, std::int64_t valid) {
      Vec<A> square[n];
      for (int i = 0; i < n; ++i)
        square[i] = load(packed + (d + i) * panel_width<A> + column) * load(factor + column);
      transpose<A>(square);
      for (int i = 0; i < n && column + i < rows.count; ++i)
        store_n(rows.data + (column + i) * rows.stride + d, square[i], valid);
    });
  }
}

/// tile [padded_count][tile_stride] = rows in the arithmetic type, zero past their ends.
template <class S, class A = Accumulator<std::remove_const_t<S>>>
[[gnu::noinline]] inline void widen_rows(A* tile, Rows<S> rows, std::int64_t padded_count) {
  const std::int64_t stride = tile_stride<A>(rows.dim);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    for_each_vector(rows.dim, lanes<A>, [&](std::int64_t d, std::int64_t valid) {
      store(tile + i * stride + d, load_n(rows.data + i * rows.stride + d, valid));
    });
    for (std::int64_t d = round_up(rows.dim, lanes<A>); d < stride; d += lanes<A>)
      store(tile + i * stride + d, Vec<A>{});
  }
  std::fill(tile + rows.count * stride, tile + padded_count * stride, A{});
}

}  // namespace boostr::cpu::BOOSTR_ISA
