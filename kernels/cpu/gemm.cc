// c[M, N] = op(a)[M, K] op(b)[K, N] + bias, as BLIS does it (Van Zee and van de Geijn, ACM TOMS
// 41(3), 2015):
//
//   jobs      C is cut into equal rectangles (at most 3072 x 3072). Threads take one after another:
//             no barriers, and none adds into another's numbers. The grid is chosen per shape so
//             that all threads are busy (gemm_plan.h). A job does, for each
//   block_k   (at most 512 words of K, in ascending order):
//               pack its rows of a into strips of tile_rows rows             (L2 or L3 cache)
//   block_n       for each at most 192 columns:
//                 pack the block of b into strips of tile_columns columns    (L2 cache)
//                 for each strip of a, for each strip of b:
//   tile            tile_rows x tile_columns sums in registers += a * b      (L1 cache)
//
// Packing makes every read of the inner loop contiguous, widens 16-bit elements once, turns all
// four layouts (NN, NT, TN, TT) into one, and fills edges with zeros, so that there is one tile for
// all. An element of C is the sum over block_k, ascending, of sums over k, ascending, whatever the
// jobs: bits do not depend on the number of threads. If C is kept in 16 bits, the sums of all
// blocks but the last stay in f32 (`partial`): C is rounded once.
#include <atomic>

#include "kernels/cpu/gemm_amx.h"
#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_plan.h"
#include "kernels/cpu/gemm_tile.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel_for.h"

namespace boostr::cpu::BOOSTR_ISA {
namespace {

/// One call: W is how a and b are multiplied, C the type of c.
template <class W, class C>
class Gemm {
  using Storage = typename W::Storage;
  using Word = typename W::Word;
  using Sum = typename W::Sum;
  /// c can hold the sum over part of K.
  static constexpr bool c_holds_sums = std::is_same_v<C, Sum>;

 public:
  Gemm(Out c, In a, In b, In bias, GemmOptions options)
      : m_(c.shape[-2]),
        n_(c.shape[-1]),
        k_(a.shape[options.transpose_a ? -2 : -1]),
        batch_(m_ * n_ == 0 ? 0 : c.shape.numel() / (m_ * n_)),
        a_{a.as<Storage>(), m_, k_, a.shape[-1], !options.transpose_a},
        b_{b.as<Storage>(), n_, k_, b.shape[-1], options.transpose_b},
        c_(c.as<C>()),
        bias_(bias.as<Storage>()),
        accumulate_(options.accumulate) {}

  void run(Stream& stream) {
    if (batch_ == 0) return;
    plan_ = plan_gemm<W>(batch_, m_, n_, k_, c_holds_sums, stream.num_threads());
    // Packing a strip pays if it is used often.
    in_place_ = W::lie_in_place && a_.k_contiguous && k_ % W::depth == 0 &&
                plan_.job_n <= 6 * W::tile_columns;
    const std::size_t bytes = packed_a_bytes() + packed_b_bytes() + partial_bytes();
    std::byte* scratch = stream.scratch(bytes * std::size_t(plan_.threads));
    if (scratch == nullptr) return;
    const std::int64_t jobs = batch_ * plan_.jobs_m * plan_.jobs_n;
    std::atomic<std::int64_t> next = 0;
    parallel_team(plan_.threads, [&](const Worker& worker) {
      [[maybe_unused]] const TileUnit<W> unit;
      std::byte* mine = scratch + bytes * std::size_t(worker.index);
      const Buffers buffers{reinterpret_cast<Word*>(mine),
                            reinterpret_cast<Word*>(mine + packed_a_bytes()),
                            reinterpret_cast<Sum*>(mine + packed_a_bytes() + packed_b_bytes())};
      for (std::int64_t i = next++; i < jobs; i = next++) run(job(i), buffers);
    });
  }

 private:
  /// One thread's workspace.
  struct Buffers {
    Word* a;
    Word* b;
    Sum* partial;  ///< [job_m, job_n]: c so far, where c itself cannot hold it
  };
  /// The rows of a in one block of K.
  struct Left {
    const Word* packed;          ///< strips of `words` words
    const Storage* in_place;     ///< where the first rows are read instead
    std::int64_t in_place_rows;  ///< whole strips, or none
    std::int64_t words;
  };
  /// A rectangle of one item of the batch.
  struct Job {
    std::int64_t item;
    Range m, n;
  };

  std::size_t packed_bytes(std::int64_t rows) const {
    const std::int64_t words = rows * (plan_.block_k / W::depth) + pack_slack<Word>;
    return std::size_t(round_up(words * std::int64_t(sizeof(Word)), 64));
  }
  std::size_t packed_a_bytes() const { return packed_bytes(plan_.job_m); }
  std::size_t packed_b_bytes() const { return packed_bytes(plan_.block_n); }
  std::size_t partial_bytes() const {
    if (c_holds_sums || plan_.blocks_k == 1) return 0;
    return std::size_t(round_up(plan_.job_m * plan_.job_n * std::int64_t(sizeof(Sum)), 64));
  }

  Job job(std::int64_t index) const {
    const std::int64_t row = index / plan_.jobs_n % plan_.jobs_m, column = index % plan_.jobs_n;
    return {.item = index / (plan_.jobs_m * plan_.jobs_n),
            .m = {row * plan_.job_m, std::min(m_, (row + 1) * plan_.job_m)},
            .n = {column * plan_.job_n, std::min(n_, (column + 1) * plan_.job_n)}};
  }

  void run(const Job& job, const Buffers& buffers) const {
    Factor<Storage> a = a_, b = b_;
    a.data += job.item * m_ * k_;
    b.data += job.item * n_ * k_;
    for (std::int64_t block = 0; block < plan_.blocks_k; ++block) {
      const Range k{block * plan_.block_k, std::min(k_, (block + 1) * plan_.block_k)};
      const std::int64_t words = round_up(divide_up(k.size(), W::depth), W::grain);
      const Left left{.packed = buffers.a,
                      .in_place = a.at(job.m.begin, k.begin),
                      .in_place_rows = in_place_ ? job.m.size() / W::tile_rows * W::tile_rows : 0,
                      .words = words};
      pack_left<W>(a, {job.m.begin + left.in_place_rows, job.m.end}, k, words,
                   buffers.a + left.in_place_rows * words);
      for (std::int64_t j = job.n.begin; j < job.n.end; j += plan_.block_n) {
        const Range n{j, std::min(job.n.end, j + plan_.block_n)};
        pack<W, W::tile_columns>(b, n, k, words, buffers.b);
        if (c_holds_sums || block + 1 == plan_.blocks_k) {
          multiply(left, job.m.size(), buffers.b, n.size(), target(job, block, j, buffers));
        } else {
          multiply(left, job.m.size(), buffers.b, n.size(), partial_target(job, block, j, buffers));
        }
      }
    }
  }

  /// Where the sums of the last block go - of every block, if c can hold them - from column j on.
  TileTarget<W, C> target(const Job& job, std::int64_t block, std::int64_t j,
                          const Buffers& buffers) const {
    const bool last = block + 1 == plan_.blocks_k;
    const bool add_partial = !c_holds_sums && block > 0;
    return {.c = c_ + (job.item * m_ + job.m.begin) * n_ + j,
            .c_stride = n_,
            .partial = add_partial ? buffers.partial + (j - job.n.begin) : nullptr,
            .partial_stride = plan_.job_n,
            .bias = last && bias_ != nullptr ? bias_ + j : nullptr,
            .accumulate = accumulate_ || (c_holds_sums && block > 0)};
  }
  TileTarget<W, Sum> partial_target(const Job& job, std::int64_t block, std::int64_t j,
                                    const Buffers& buffers) const {
    return {
        .c = buffers.partial + (j - job.n.begin), .c_stride = plan_.job_n, .accumulate = block > 0};
  }

  /// a [m, words] times packed b [words, n], tile by tile; `first` is the target of the tile at
  /// (0, 0).
  template <class T>
  void multiply(const Left& a, std::int64_t m, const Word* b, std::int64_t n,
                const TileTarget<W, T>& first) const {
    for (std::int64_t i = 0; i < m; i += W::tile_rows) {
      for (std::int64_t j = 0; j < n; j += W::tile_columns) {
        TileTarget<W, T> tile = first;
        tile.c += i * first.c_stride + j;
        if (first.partial != nullptr) tile.partial += i * first.partial_stride + j;
        if (first.bias != nullptr) tile.bias += j;
        tile.rows = std::min<std::int64_t>(W::tile_rows, m - i);
        tile.columns = std::min<std::int64_t>(W::tile_columns, n - j);
        multiply_strips(a, i, b + j * a.words, tile);
      }
    }
  }
  template <class T>
  void multiply_strips(const Left& a, std::int64_t row, const Word* b,
                       const TileTarget<W, T>& tile) const {
    if constexpr (W::lie_in_place) {
      if (row < a.in_place_rows)
        return multiply_tile(a.words, LeftInPlace<W>{a.in_place + row * a_.stride, a_.stride}, b,
                             tile);
    }
    multiply_tile(a.words, PackedLeft<W>{a.packed + row * a.words}, b, tile);
  }

  std::int64_t m_, n_, k_, batch_;
  Factor<Storage> a_, b_;
  C* c_;
  const Storage* bias_;
  bool accumulate_;
  GemmPlan plan_;
  bool in_place_ = false;
};

}  // namespace

void gemm(Stream& stream, Out c, In a, In b, In bias, GemmOptions options) {
  dispatch_float(a.dtype, [&]<class S>() {
    using W = WordsOf<S>;
    if (c.dtype == dtype_of<S>) {
      Gemm<W, S>(c, a, b, bias, options).run(stream);
    } else {
      Gemm<W, Accumulator<S>>(c, a, b, bias, options).run(stream);
    }
  });
}

}  // namespace boostr::cpu::BOOSTR_ISA
