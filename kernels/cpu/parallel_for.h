#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <type_traits>
#if defined(_OPENMP)
#include <omp.h>
#endif

#include "kernels/runtime/stream.h"

// How kernels use threads: work is cut into contiguous pieces, one per thread. Where the cuts fall
// depends on the number of threads, so an element's value may not: a kernel that adds across
// elements adds within fixed chunks (parallel_chunks) and then adds the chunks' sums in order.
#ifndef BOOSTR_ISA
#error "compile kernels/cpu through its CMakeLists.txt, which defines BOOSTR_ISA"
#endif

namespace boostr::cpu::BOOSTR_ISA {

/// The half-open range [begin, end).
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
};

/// Piece `part` of `parts` nearly equal pieces of [0, count), cut at multiples of `grain`.
inline Range part_of(std::int64_t count, std::int64_t grain, std::int64_t part,
                     std::int64_t parts) {
  const std::int64_t grains = (count + grain - 1) / grain;
  return {std::min(count, grains * part / parts * grain),
          std::min(count, grains * (part + 1) / parts * grain)};
}

/// One thread of a team, as parallel_team passes it to its body.
struct Worker {
  int index = 0;  ///< 0 .. count - 1
  int count = 1;  ///< threads in the team: at most what was asked for

  /// Waits until every thread of the team has come here.
  void barrier() const {
#if defined(_OPENMP)
    if (count > 1) {
#pragma omp barrier
    }
#endif
  }
};

/// Calls body(Worker) once on each of at most `num_threads` threads. The runtime may grant fewer.
template <class Body>
void parallel_team(int num_threads, Body&& body) {
#if defined(_OPENMP)
  if (num_threads > 1) {
#pragma omp parallel num_threads(num_threads)
    body(Worker{omp_get_thread_num(), omp_get_num_threads()});
    return;
  }
#else
  static_cast<void>(num_threads);
#endif
  body(Worker{});
}

/// Calls body(begin, end) - or body(begin, end, thread), thread < stream.num_threads() - on
/// disjoint ranges that cover [0, count), cut at multiples of `grain`: the least work that is worth
/// a thread. One thread gets one range.
template <class Body>
void parallel_for(const Stream& stream, std::int64_t count, std::int64_t grain, Body&& body) {
  if (count <= 0) return;
  const std::int64_t grains = (count + grain - 1) / grain;
  const auto threads = static_cast<int>(std::min<std::int64_t>(stream.num_threads(), grains));
  parallel_team(threads, [&](const Worker& worker) {
    const Range range = part_of(count, grain, worker.index, worker.count);
    if (range.size() == 0) return;
    if constexpr (std::is_invocable_v<Body&, std::int64_t, std::int64_t, int>) {
      body(range.begin, range.end, worker.index);
    } else {
      body(range.begin, range.end);
    }
  });
}

/// Calls body(task, thread) for every task in [0, count), thread < stream.num_threads(): each
/// thread that is free takes the next one. For tasks of unequal cost. Tasks start in ascending
/// order, so a task may wait for an earlier one.
template <class Body>
void parallel_tasks(const Stream& stream, std::int64_t count, Body&& body) {
  if (count <= 0) return;
  std::atomic<std::int64_t> next{0};
  const auto threads = static_cast<int>(std::min<std::int64_t>(stream.num_threads(), count));
  parallel_team(threads, [&](const Worker& worker) {
    for (std::int64_t task = next++; task < count; task = next++) body(task, worker.index);
  });
}

/// Calls body(index, begin, end) for every chunk [index * chunk, min(count, (index + 1) * chunk)).
/// The chunks are the same for any number of threads, so sums over a chunk are too.
template <class Body>
void parallel_chunks(const Stream& stream, std::int64_t count, std::int64_t chunk, Body&& body) {
  const std::int64_t chunks = (count + chunk - 1) / chunk;
  parallel_for(stream, chunks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      body(i, i * chunk, std::min(count, (i + 1) * chunk));
    }
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
