#include <numbers>

#include "kernels/cpu/attention_softmax.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel_for.h"

// out = softmax(scale q k^T + mask) v without ever holding more of the scores than one panel's for
// one tile of keys. The blocking is explained in attention_tile.h.
namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// One thread's workspace for a task of `panels` panels.
template <class A>
struct ForwardScratch {
  ForwardScratch(Workspace& workspace, std::int64_t dim, std::int64_t panels)
      : q_size(dim * panel_width<A>),
        out_size(padded_dim<A>(dim) * panel_width<A>),
        k(workspace.take<A>(key_tile * tile_stride<A>(dim))),
        v(workspace.take<A>(key_tile * tile_stride<A>(dim))),
        scores(workspace.take<A>(key_tile * panel_width<A>)),
        q(workspace.take<A>(panels * q_size)),
        out(workspace.take<A>(panels * out_size)),
        statistics(workspace.take<A>(panels * 3 * panel_width<A>)) {}

  SoftmaxState<A> state(std::int64_t panel) const {
    A* first = statistics + panel * 3 * panel_width<A>;
    return {first, first + panel_width<A>, first + 2 * panel_width<A>};
  }

  std::int64_t q_size, out_size;
  A *k, *v;       // [key_tile][tile_stride]
  A* scores;      // [key_tile][panel]
  A* q;           // [panels][D][panel], times scale log2(e)
  A* out;         // [panels][padded D][panel], not yet divided by the sums
  A* statistics;  // [panels][3][panel]
};

template <class S>
class ForwardTask {
 public:
  using A = Accumulator<S>;
  static constexpr int width = panel_width<A>;

  ForwardTask(const AttentionShape& shape, const Visibility& visibility,
              const ForwardScratch<A>& scratch, std::int64_t b, std::int64_t group, Range panels)
      : shape_(shape),
        visibility_(visibility),
        scratch_(scratch),
        b_(b),
        group_(group),
        panels_(panels) {}

  void run(Out out, Out lse, In q, In k, In v, double scale) const {
    const std::int64_t begin = panel(panels_.begin).keys_begin,
                       end = panel(panels_.end - 1).keys_end;
    const A factor = A(scale * std::numbers::log2e);
    for (std::int64_t first = begin / key_tile * key_tile; first < end; first += key_tile) {
      const std::int64_t count = std::min(key_tile, end - first);
      widen_rows(scratch_.k, key_rows(k.as<S>(), first, count), round_up(count, panel_rows));
      widen_rows(scratch_.v, key_rows(v.as<S>(), first, count), round_up(count, panel_rows));
      const std::int64_t next = first + count, next_count = std::min(key_tile, end - next);
      FetchAhead ahead;
      ahead.add(key_rows(v.as<S>(), next, next_count));
      ahead.add(key_rows(k.as<S>(), next, next_count));
      for (std::int64_t i = panels_.begin; i < panels_.end; ++i) {
        const Panel p = panel(i);
        if (p.keys_begin >= next || p.keys_end <= first) continue;
        const bool last = p.keys_end <= next;
        if (p.keys_begin >= first) load_queries(i, p, q.as<S>(), factor, ahead);
        if (last) ahead.add(query_rows(out.as<S>(), p));
        add_tile(i, p, first, count, ahead);
        if (last) finish(i, p, out.as<S>(), lse.as<A>());
      }
    }
  }

 private:
  Panel panel(std::int64_t index) const { return {shape_, visibility_, width, group_, index}; }

  template <class T>
  Rows<T> query_rows(T* source, const Panel& p) const {
    return {source + shape_.query_offset(b_, p.position, p.head), shape_.query_stride(), p.count,
            shape_.dim};
  }

  void load_queries(std::int64_t index, const Panel& p, const S* q, A factor,
                    FetchAhead& ahead) const {
    const std::int64_t slot = index - panels_.begin;
    pack_transposed(scratch_.q + slot * scratch_.q_size, query_rows(q, p), factor);
    std::fill_n(scratch_.out + slot * scratch_.out_size, scratch_.out_size, A{});
    scratch_.state(slot).reset();
    if (index + 1 < panels_.end) ahead.add(query_rows(q, panel(index + 1)));
  }

  Rows<const S> key_rows(const S* source, std::int64_t first, std::int64_t count) const {
    return {source + shape_.key_offset(b_, first, group_), shape_.key_stride(), count, shape_.dim};
  }

  /// Adds the keys [first, first + count) to what panel `index` has seen.
  void add_tile(std::int64_t index, const Panel& p, std::int64_t first, std::int64_t count,
                FetchAhead& ahead) const {
    const SeenRows seen(p, visibility_, lanes<A>, first, count);
    const std::int64_t slot = index - panels_.begin;
    const std::int64_t stride = tile_stride<A>(shape_.dim);
    const SoftmaxState<A> state = scratch_.state(slot);
    const Scores<A> scores{scratch_.scores, width};
    multiply_rows(scores, scratch_.k, stride, scratch_.q + slot * scratch_.q_size, seen, shape_.dim,
                  ahead);
    mask_scores(scores, first, first + seen.first(), first + seen.last(), p, visibility_);
    softmax_tile(scores.row(seen.first()), seen.last() - seen.first(), state);
    multiply_columns(scratch_.out + slot * scratch_.out_size, state.factor, scratch_.v, stride,
                     scores, padded_dim<A>(shape_.dim), seen, ahead);
  }

  void finish(std::int64_t index, const Panel& p, S* out, A* lse) const {
    const std::int64_t slot = index - panels_.begin;
    const SoftmaxState<A> state = scratch_.state(slot);
    for (int c = 0; c < width; ++c) state.factor[c] = 1 / state.sum[c];
    unpack_transposed(query_rows(out, p), scratch_.out + slot * scratch_.out_size, state.factor);
    A* row = lse + shape_.lse_offset(b_, p.position, p.head);
    for_each_vector(p.count, lanes<A>, [&](std::int64_t c, std::int64_t n) {
      const Vec<A> sum = log2_positive(load(state.sum + c)) + load(state.peak + c);
      store_n(row + c, sum * A(std::numbers::ln2), n);
    });
  }

  const AttentionShape& shape_;
  const Visibility& visibility_;
  const ForwardScratch<A>& scratch_;
  std::int64_t b_, group_;
  Range panels_;
};

/// Panels of a task: as many queries as let q^T, out^T and a tile of keys and values stay in L2,
/// but tasks for every thread. (A query's result does not depend on it.)
template <class A>
std::int64_t panels_per_task(const AttentionShape& shape, int num_threads) {
  const std::int64_t queries = std::clamp<std::int64_t>(24576 / shape.dim, 96, 384);
  const std::int64_t most = std::max<std::int64_t>(1, queries / panel_width<A>);
  if (num_threads == 1) return most;
  const std::int64_t all = panels_per_group(shape, panel_width<A>) * shape.batch * shape.groups;
  return std::clamp<std::int64_t>(all / (4 * num_threads), 1, most);
}

template <class S>
void attention_of(Stream& stream, Out out, Out lse, In q, In k, In v, In documents,
                  AttentionOptions options) {
  using A = Accumulator<S>;
  const AttentionShape shape(q, k);
  const std::int64_t panels = panels_per_group(shape, panel_width<A>);
  const std::int64_t per_task = panels_per_task<A>(shape, stream.num_threads());
  const std::int64_t tasks = (panels + per_task - 1) / per_task;

  const auto share = [&](Workspace& workspace) { return DocumentBounds(workspace, documents); };
  const auto own = [&](Workspace& workspace) {
    return ForwardScratch<A>(workspace, shape.dim, per_task);
  };
  const std::size_t shared_bytes = workspace_bytes(share), thread_bytes = workspace_bytes(own);
  std::byte* const base = stream.scratch(shared_bytes + thread_bytes * stream.num_threads());
  if (base == nullptr) return;
  Workspace front(base);
  const DocumentBounds bounds = share(front);
  bounds.fill(documents);

  parallel_tasks(stream, shape.batch * shape.groups * tasks, [&](std::int64_t task, int thread) {
    // Causal queries cost more the later they come: last first, so that small tasks level the
    // threads at the end.
    const std::int64_t part = tasks - 1 - task % tasks;
    const std::int64_t b = task / tasks / shape.groups, group = task / tasks % shape.groups;
    Workspace rest(base + shared_bytes + thread_bytes * thread);
    const ForwardScratch<A> scratch = own(rest);
    const Visibility visibility = bounds.visibility(options, b, shape.sequence);
    const ForwardTask<S> work(shape, visibility, scratch, b, group,
                              part_of(panels, 1, part, tasks));
    work.run(out, lse, q, k, v, options.scale);
  });
}

}  // namespace

void attention(Stream& stream, Out out, Out lse, In q, In k, In v, In documents,
               AttentionOptions options) {
  if (q.shape.numel() == 0) return;
  dispatch_float(
      q.dtype, [&]<class S>() { attention_of<S>(stream, out, lse, q, k, v, documents, options); });
}

}  // namespace boostr::cpu::BOOSTR_ISA
