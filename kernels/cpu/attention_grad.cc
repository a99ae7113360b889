#include <numbers>

#include "kernels/cpu/attention_grad_scratch.h"
#include "kernels/cpu/attention_softmax.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel_for.h"

// With p = exp(scale q k^T - lse), dp = dout v^T and delta = rowsum(dout * out):
//   ds = p (dp - delta), dq = scale ds k, dk = scale ds^T q, dv = p^T dout,
// p and ds tile by tile (arXiv 2307.08691, algorithm 2, with the loop over queries outside). A task
// owns the dq of its queries; dk and dv are shared by the tasks of one key/value head, which add to
// a tile of keys in the order of their queries: each waits for the one before it, which has begun
// earlier and is usually a tile ahead. So the sums are the same on any number of threads, no
// partial sums are stored, and even a single head keeps several threads busy. The blocking is
// explained in attention_tile.h.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

template <class S>
class GradTask {
 public:
  using A = Accumulator<S>;
  static constexpr int width = panel_width<A>;

  GradTask(const AttentionShape& shape, const Visibility& visibility, const GradScratch<A>& scratch,
           std::int64_t b, std::int64_t group, Range panels)
      : shape_(shape),
        visibility_(visibility),
        scratch_(scratch),
        b_(b),
        group_(group),
        panels_(panels) {}

  void run(Out dq, KeyGradients<A> gradients, In dout, const AttentionSaved& saved, double scale,
           const Turn& turn) const {
    const std::int64_t begin = panel(panels_.begin).keys_begin,
                       end = panel(panels_.end - 1).keys_end;
    for (std::int64_t tile = begin / key_tile; tile * key_tile < end; ++tile) {
      const std::int64_t first = tile * key_tile, count = std::min(key_tile, end - first);
      widen_rows(scratch_.k, key_rows(saved.k.as<S>(), first, count), round_up(count, panel_rows));
      widen_rows(scratch_.v, key_rows(saved.v.as<S>(), first, count), round_up(count, panel_rows));
      FetchAhead ahead;
      const std::int64_t next = first + count, next_count = std::min(key_tile, end - next);
      ahead.add(key_rows(saved.v.as<S>(), next, next_count));
      ahead.add(key_rows(saved.k.as<S>(), next, next_count));
      for (std::int64_t i = panels_.begin; i < panels_.end; ++i) {
        const Panel p = panel(i);
        const std::int64_t slot = i - panels_.begin;
        if (p.keys_begin >= next || p.keys_end <= first) continue;
        if (p.keys_begin >= first) load_queries(slot, p, dout, saved, scale);
        if (p.keys_begin >= first && i + 1 < panels_.end)
          fetch_queries(panel(i + 1), dout, saved, ahead);
        const bool last = p.keys_end <= next;
        if (last) ahead.add(query_rows(dq.as<S>(), p));
        differentiate_tile(slot, p, first, count, ahead);
        if (last) store_queries(slot, p, dq.as<S>(), A(scale));
      }
      find_seers(first, count);
      turn.wait(tile);
      add_key_gradients(gradients.dv, scratch_.p, scratch_.dout_rows, first, count);
      add_key_gradients(gradients.dk, scratch_.ds, scratch_.q_rows, first, count);
      turn.pass(tile);
    }
    turn.finish();
  }

 private:
  Panel panel(std::int64_t index) const { return {shape_, visibility_, width, group_, index}; }
  template <class T>
  Rows<T> query_rows(T* source, const Panel& p) const {
    return {source + shape_.query_offset(b_, p.position, p.head), shape_.query_stride(), p.count,
            shape_.dim};
  }

  void fetch_queries(const Panel& p, In dout, const AttentionSaved& saved,
                     FetchAhead& ahead) const {
    ahead.add(query_rows(saved.out.as<S>(), p));
    ahead.add(query_rows(dout.as<S>(), p));
    ahead.add(query_rows(saved.q.as<S>(), p));
  }

  void load_queries(std::int64_t slot, const Panel& p, In dout, const AttentionSaved& saved,
                    double scale) const {
    const Rows<const S> q = query_rows(saved.q.as<S>(), p), dy = query_rows(dout.as<S>(), p);
    pack_transposed(scratch_.q + slot * scratch_.packed_size, q, A(scale * std::numbers::log2e));
    pack_transposed(scratch_.dout + slot * scratch_.packed_size, dy, A(1));
    pack_rows(scratch_.q_rows, slot, q, A(scale));
    pack_rows(scratch_.dout_rows, slot, dy, A(1));
    std::fill_n(scratch_.dq + slot * scratch_.dq_size, scratch_.dq_size, A{});
    const Rows<const S> y = query_rows(saved.out.as<S>(), p);
    const A* row = saved.lse.as<A>() + shape_.lse_offset(b_, p.position, p.head);
    for (int c = 0; c < width; ++c) {
      const bool inside = c < p.count;
      scratch_.lse[slot * width + c] = inside ? row[c] * A(std::numbers::log2e) : A{};
      scratch_.delta[slot * width + c] =
          inside ? dot(dy.data + c * dy.stride, y.data + c * y.stride) : A{};
    }
  }

  A dot(const S* a, const S* b) const {
    Vec<A> sum{};
    for_each_vector(shape_.dim, lanes<A>, [&](std::int64_t d, std::int64_t n) {
      sum += load_n(a + d, n) * load_n(b + d, n);
    });
    return reduce_add(sum);
  }

  /// packed [D / grad_width][panels * panel][grad_width]: the rows of panel `slot`, zero past their
  /// ends.
  [[gnu::noinline]] void pack_rows(A* packed, std::int64_t slot, const Rows<const S>& rows,
                                   A factor) const {
    const std::int64_t queries = panels_.size() * width;
    for (std::int64_t d = 0; d < shape_.dim; d += grad_width<A>) {
      A* to = packed + d * queries + slot * width * grad_width<A>;
      for (std::int64_t c = 0; c < width; ++c) {
        for (int w = 0; w < grad_width<A>; w += lanes<A>) {
          const std::int64_t valid = std::clamp<std::int64_t>(shape_.dim - d - w, 0, lanes<A>);
          const bool inside = c < rows.count && valid > 0;
          store(to + c * grad_width<A> + w,
                inside ? load_n(rows.data + c * rows.stride + d + w, valid) * factor : Vec<A>{});
        }
      }
    }
  }

  Rows<const S> key_rows(const S* source, std::int64_t first, std::int64_t count) const {
    return {source + shape_.key_offset(b_, first, group_), shape_.key_stride(), count, shape_.dim};
  }

  /// From which query to which the keys of every register tile of dk and dv at `first` are seen.
  void find_seers(std::int64_t first, std::int64_t count) const {
    Range seers{panels_.begin, panels_.begin};  // panels
    for (std::int64_t key = first; key < first + count; key += grad_rows) {
      while (seers.begin < panels_.end && panel(seers.begin).keys_end <= key) ++seers.begin;
      while (seers.end < panels_.end && panel(seers.end).keys_begin < key + grad_rows) ++seers.end;
      Range& queries = scratch_.seers[(key - first) / grad_rows];
      queries = {};
      if (seers.size() <= 0) continue;
      const Panel front = panel(seers.begin), back = panel(seers.end - 1);
      std::int64_t skipped = 0, kept = back.count;
      while (visibility_.keys_end(front.position + skipped) <= key) ++skipped;
      while (visibility_.keys_begin(back.position + kept - 1) >= key + grad_rows) --kept;
      queries = {(seers.begin - panels_.begin) * width + skipped,
                 (seers.end - 1 - panels_.begin) * width + kept};
    }
  }

  /// p^T and ds^T of a panel for the keys that it sees of the tile at `first`, zero where a register
  /// tile reaches past them; adds to dq^T.
  void differentiate_tile(std::int64_t slot, const Panel& panel, std::int64_t first,
                          std::int64_t count, FetchAhead& ahead) const {
    const std::int64_t stride = tile_stride<A>(shape_.dim);
    const SeenRows seen(panel, visibility_, lanes<A>, first, count);
    const Scores<A> p{scratch_.p + slot * width, scratch_.score_stride};
    const Scores<A> ds{scratch_.ds + slot * width, scratch_.score_stride};
    multiply_rows(p, scratch_.k, stride, scratch_.q + slot * scratch_.packed_size, seen, shape_.dim,
                  ahead);
    multiply_rows(ds, scratch_.v, stride, scratch_.dout + slot * scratch_.packed_size, seen,
                  shape_.dim, ahead);
    mask_scores(p, first, first + seen.first(), first + seen.last(), panel, visibility_);
    differentiate_softmax(p, ds, {seen.first(), seen.last()}, slot);
    multiply_columns(scratch_.dq + slot * scratch_.dq_size, static_cast<const A*>(nullptr),
                     scratch_.k, stride, ds, padded_dim<A>(shape_.dim), seen, ahead);
  }

  /// p: scores become probabilities; ds: dp becomes ds. Both zero where a register tile of dk and dv
  /// reaches past the rows `seen`.
  [[gnu::noinline]] void differentiate_softmax(Scores<A> p, Scores<A> ds, Range seen,
                                               std::int64_t slot) const {
    RegisterTile<2, panel_vectors, A> row;
#pragma GCC unroll 8
    for (int w = 0; w < panel_vectors; ++w) {
      row.rows[0][w] = load(scratch_.lse + slot * width + w * lanes<A>);
      row.rows[1][w] = load(scratch_.delta + slot * width + w * lanes<A>);
    }
    for (std::int64_t key = seen.begin; key < seen.end; ++key)
#pragma GCC unroll 8
      for (int w = 0; w < panel_vectors; ++w) {
        A *score = p.row(key) + w * lanes<A>, *slope = ds.row(key) + w * lanes<A>;
        const Vec<A> probability = exp2_bounded(load(score) - row.rows[0][w]);
        store(score, probability);
        store(slope, probability * (load(slope) - row.rows[1][w]));
      }
    const auto clear = [&](std::int64_t key) {
      std::fill_n(p.row(key), width, A{});
      std::fill_n(ds.row(key), width, A{});
    };
    for (std::int64_t key = seen.begin; key % grad_rows != 0;) clear(--key);
    for (std::int64_t key = seen.end; key % grad_rows != 0; ++key) clear(key);
  }

  /// gradient[first + i][:] += sum over the queries of a[query][i] b[query][:] for i < count.
  void add_key_gradients(A* gradient, const A* a, const A* b, std::int64_t first,
                         std::int64_t count) const {
    gradient += shape_.key_offset(b_, first, group_);
    for (std::int64_t d = 0; d < shape_.dim; d += grad_width<A>) {
      const A* columns = b + d * panels_.size() * width;
      for (std::int64_t key = 0; key < count; key += grad_rows) {
        const Rows<A> c{gradient + key * shape_.key_stride() + d, shape_.key_stride(),
                        std::min<std::int64_t>(grad_rows, count - key),
                        std::min<std::int64_t>(grad_width<A>, shape_.dim - d)};
        if (c.dim > lanes<A>) {
          add_register_tile<grad_vectors>(c, a, columns, key);
        } else {
          add_register_tile<1>(c, a, columns, key);
        }
      }
    }
  }

  /// One register tile of add_key_gradients, from the queries that see any of its keys.
  template <int W>
  [[gnu::noinline]] void add_register_tile(Rows<A> c, const A* a, const A* b,
                                           std::int64_t key) const {
    for (std::int64_t i = 0; i < c.count; ++i)
      for (int w = 0; w < W; ++w) __builtin_prefetch(c.data + i * c.stride + w * lanes<A>, 1);
    RegisterTile<grad_rows, W, A> tile{};
    const Range seers = scratch_.seers[key / grad_rows];
    const A* corner = a + key * scratch_.score_stride + seers.begin;
    multiply_add<0, W>(tile, seers.size(), b + seers.begin * grad_width<A>, grad_width<A>,
                       [&, stride = scratch_.score_stride](int i, std::int64_t query) {
                         return corner[i * stride + query];
                       });
    const bool whole = c.count == grad_rows && c.dim == W * lanes<A>;
#pragma GCC unroll 8
    for (int i = 0; i < grad_rows; ++i)
#pragma GCC unroll 8
      for (int w = 0; w < W; ++w) {
        A* at = c.data + i * c.stride + w * lanes<A>;
        if (whole) {
          store(at, load(at) + tile.rows[i][w]);
        } else if (i < c.count) {
          const std::int64_t n = std::min<std::int64_t>(lanes<A>, c.dim - w * lanes<A>);
          store_n(at, load_n(at, n) + tile.rows[i][w], n);
        }
      }
  }

  void store_queries(std::int64_t slot, const Panel& p, S* dq, A scale) const {
    A* const factor = scratch_.delta + slot * width;
    std::fill_n(factor, width, scale);
    unpack_transposed(query_rows(dq, p), scratch_.dq + slot * scratch_.dq_size, factor);
  }

  const AttentionShape& shape_;
  const Visibility& visibility_;
  const GradScratch<A>& scratch_;
  std::int64_t b_, group_;
  Range panels_;
};

/// Panels of a task: its packed queries, their p and ds and a tile of keys and values stay in L2.
/// (The sums of dk and dv depend on it, so the number of threads must not enter.)
template <class A>
std::int64_t panels_per_task(const AttentionShape& shape) {
  const std::int64_t queries = shape.dim <= 64 ? 192 : 96;
  return std::max<std::int64_t>(1, queries / panel_width<A>);
}

template <class S>
void attention_grad_of(Stream& stream, Out dq, Out dk, Out dv, In dout, const AttentionSaved& saved,
                       AttentionOptions options) {
  using A = Accumulator<S>;
  const AttentionShape shape(saved.q, saved.k);
  const std::int64_t panels = panels_per_group(shape, panel_width<A>);
  const std::int64_t per_task = panels_per_task<A>(shape);
  const std::int64_t parts = (panels + per_task - 1) / per_task;
  const std::int64_t groups = shape.batch * shape.groups;

  const auto share = [&](Workspace& workspace) {
    return SharedScratch<A>(workspace, saved.documents, dk, dv, groups * parts);
  };
  const auto own = [&](Workspace& workspace) {
    return GradScratch<A>(workspace, shape.dim, per_task);
  };
  const std::size_t shared_bytes = workspace_bytes(share), thread_bytes = workspace_bytes(own);
  std::byte* const base = stream.scratch(shared_bytes + thread_bytes * stream.num_threads());
  if (base == nullptr) return;
  Workspace front(base);
  const SharedScratch<A> shared = share(front);
  shared.clear(stream, saved.documents);

  parallel_tasks(stream, groups * parts, [&](std::int64_t task, int thread) {
    const TaskPlace place(task, groups, parts, stream.num_threads());
    const std::int64_t b = place.group / shape.groups;
    Workspace rest(base + shared_bytes + thread_bytes * thread);
    const GradScratch<A> scratch = own(rest);
    const Visibility visibility = shared.bounds.visibility(options, b, shape.sequence);
    const GradTask<S> work(shape, visibility, scratch, b, place.group % shape.groups,
                           part_of(panels, 1, place.part, parts));
    Turn::Progress* const progress = shared.progress + place.group * parts + place.part;
    work.run(dq, shared.sums, dout, saved, options.scale,
             {.previous = place.part == 0 ? nullptr : progress - 1, .own = progress});
  });
  if constexpr (!std::is_same_v<S, A>) shared.round_to(stream, dk.as<S>(), dv.as<S>());
}

}  // namespace

void attention_grad(Stream& stream, Out dq, Out dk, Out dv, In dout, const AttentionSaved& saved,
                    AttentionOptions options) {
  if (dq.shape.numel() == 0) return;
  dispatch_float(
      dq.dtype, [&]<class S>() { attention_grad_of<S>(stream, dq, dk, dv, dout, saved, options); });
}

}  // namespace boostr::cpu::BOOSTR_ISA
