#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <thread>

#include "kernels/cpu/attention_tile.h"
#include "kernels/cpu/parallel_for.h"

// What the tasks of the backward pass of attention hold for themselves and share, and the order in
// which they add to dk and dv.
namespace boostr::cpu::BOOSTR_ISA {

/// Columns of dk and dv in a register tile.
template <class A>
constexpr int grad_width = grad_vectors* lanes<A>;

/// One thread's workspace for a task of `panels` panels.
template <class A>
struct GradScratch {
  GradScratch(Workspace& workspace, std::int64_t dim, std::int64_t panels)
      : packed_size(dim * panel_width<A>),
        dq_size(padded_dim<A>(dim) * panel_width<A>),
        rows_size(panels * panel_width<A> * round_up(dim, grad_width<A>)),
        score_stride(odd_lines<A>(panels * panel_width<A>)),
        k(workspace.take<A>(key_tile * tile_stride<A>(dim))),
        v(workspace.take<A>(key_tile * tile_stride<A>(dim))),
        q(workspace.take<A>(panels * packed_size)),
        dout(workspace.take<A>(panels * packed_size)),
        dq(workspace.take<A>(panels * dq_size)),
        q_rows(workspace.take<A>(rows_size)),
        dout_rows(workspace.take<A>(rows_size)),
        p(workspace.take<A>(key_tile * score_stride)),
        ds(workspace.take<A>(key_tile * score_stride)),
        lse(workspace.take<A>(panels * panel_width<A>)),
        delta(workspace.take<A>(panels * panel_width<A>)),
        seers(workspace.take<Range>(key_tile / grad_rows)) {}

  std::int64_t packed_size, dq_size, rows_size, score_stride;
  A *k, *v;               // [key_tile][tile_stride]
  A *q, *dout;            // [panels][D][panel]; q times scale log2(e)
  A* dq;                  // [panels][padded D][panel], not yet times scale
  A *q_rows, *dout_rows;  // [D / grad_width][panels * panel][grad_width]; q times scale
  A *p, *ds;              // [key_tile][score_stride]: all panels side by side
  A *lse, *delta;         // [panels][panel]; lse in base 2
  Range* seers;  // [key_tile / grad_rows]: from the first query that sees any of so many keys to
                 // the last, counted over the panels
};

/// A task's place in the line of tasks that add to the same dk and dv.
struct Turn {
  using Progress = std::atomic<std::int64_t>;
  /// About a tenth of a millisecond. The task in front is rarely as far behind, and whoever gets the
  /// core by a yield, another program say, keeps it for milliseconds.
  static constexpr int patience = 2000;

  /// Waits until the task in front is past `tile`.
  void wait(std::int64_t tile) const {
    if (previous == nullptr) return;
    for (int pauses = 0; previous->load(std::memory_order_acquire) <= tile; ++pauses) {
      if (pauses < patience)
        __builtin_ia32_pause();
      else
        std::this_thread::yield();
    }
  }
  void pass(std::int64_t tile) const { own->store(tile + 1, std::memory_order_release); }
  void finish() const { pass(std::numeric_limits<std::int64_t>::max() - 1); }

  Progress* previous;  ///< the first tile that the task in front has yet to add to; null for the
                       ///< first task
  Progress* own;
};

/// Which queries of which key/value head a task has: as many heads at a time as there are threads,
/// their parts in ascending order.
struct TaskPlace {
  TaskPlace(std::int64_t task, std::int64_t groups, std::int64_t parts, std::int64_t threads) {
    const std::int64_t first = task / (threads * parts) * threads;
    const std::int64_t together = std::min(threads, groups - first);
    group = first + (task - first * parts) % together;
    part = (task - first * parts) / together;
  }
  std::int64_t group, part;
};

/// dk and dv in the arithmetic type, [B, S, G, D]: the outputs themselves, or the workspace for
/// 16-bit types.
template <class A>
struct KeyGradients {
  A* dk;
  A* dv;
};

/// What all threads share.
template <class A>
struct SharedScratch {
  SharedScratch(Workspace& workspace, In documents, Out dk, Out dv, std::int64_t tasks)
      : bounds(workspace, documents),
        progress(workspace.take<Turn::Progress>(tasks)),
        sums{in_arithmetic_type(workspace, dk), in_arithmetic_type(workspace, dv)},
        tasks(tasks),
        numel(dk.shape.numel()) {}

  static A* in_arithmetic_type(Workspace& workspace, Out gradient) {
    return gradient.dtype == dtype_of<A> ? gradient.as<A>()
                                         : workspace.take<A>(gradient.shape.numel());
  }
  void clear(const Stream& stream, In documents) const {
    bounds.fill(documents);
    for (std::int64_t i = 0; i < tasks; ++i) std::construct_at(progress + i, 0);
    parallel_for(stream, numel, 4096, [&](std::int64_t begin, std::int64_t end) {
      std::fill(sums.dk + begin, sums.dk + end, A{});
      std::fill(sums.dv + begin, sums.dv + end, A{});
    });
  }
  template <class S>
  void round_to(const Stream& stream, S* dk, S* dv) const {
    parallel_for(stream, numel, 4096, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t i = begin;
      for (; i + lanes<A> <= end; i += lanes<A>) {
        store(dk + i, load(sums.dk + i));
        store(dv + i, load(sums.dv + i));
      }
      for (; i < end; ++i) {
        dk[i] = static_cast<S>(sums.dk[i]);
        dv[i] = static_cast<S>(sums.dv[i]);
      }
    });
  }

  DocumentBounds bounds;
  Turn::Progress* progress;  // [B * G][parts]
  KeyGradients<A> sums;
  std::int64_t tasks, numel;
};

}  // namespace boostr::cpu::BOOSTR_ISA
