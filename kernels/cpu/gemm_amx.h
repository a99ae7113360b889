#pragma once

#include <bit>

#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_tile.h"

// Products of bf16 on a unit for whole tiles (Intel AMX): one instruction multiplies 16 rows of 32
// elements by 32 rows of 16 columns. A tile of C is 2 x 2 of its registers. Where the unit does not
// exist, the same steps are done in plain arithmetic, so that the packing and the edges are tested
// everywhere.
namespace boostr::cpu::BOOSTR_ISA {

#if defined(BOOSTR_AMX)

/// Side of one of the unit's registers, in rows and in words.
inline constexpr int amx_side = 16;
inline constexpr int amx_words = amx_side * amx_side;

#if defined(__AMX_BF16__)

/// While it lives, this thread's unit is set up for full tiles; the system keeps the tiles' state
/// only then.
template <>
struct TileUnit<AmxWords> {
  TileUnit() {
    struct alignas(64) Setup {  // the layout that LDTILECFG reads
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    constexpr Setup setup;
    _tile_loadconfig(&setup);
  }
  TileUnit(const TileUnit&) = delete;
  TileUnit& operator=(const TileUnit&) = delete;
  ~TileUnit() { _tile_release(); }
};

/// The 32 x 32 sums of a tile of C, in four registers of the unit.
class AmxSums {
 public:
  AmxSums() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  /// += 16 words of a's strip times 16 words of b's.
  void add_product(const std::uint32_t* a, const std::uint32_t* b) {
    constexpr int a_stride = amx_side * sizeof(*a), b_stride = AmxWords::tile_columns * sizeof(*b);
    _tile_loadd(4, a, a_stride);
    _tile_loadd(6, b, b_stride);
    _tile_loadd(7, b + amx_side, b_stride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, a + amx_words, a_stride);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  void store(float (&sums)[AmxWords::tile_rows][AmxWords::tile_columns]) const {
    _tile_stored(0, &sums[0][0], sizeof sums[0]);
    _tile_stored(1, &sums[0][amx_side], sizeof sums[0]);
    _tile_stored(2, &sums[amx_side][0], sizeof sums[0]);
    _tile_stored(3, &sums[amx_side][amx_side], sizeof sums[0]);
  }
};

#else

class AmxSums {
 public:
  void add_product(const std::uint32_t* a, const std::uint32_t* b) {
    for (int i = 0; i < AmxWords::tile_rows; ++i)
      for (int k = 0; k < amx_side; ++k)
        add_row(i, a[i * amx_side + k], b + k * AmxWords::tile_columns);
  }
  void store(float (&sums)[AmxWords::tile_rows][AmxWords::tile_columns]) const {
    std::memcpy(sums, sums_, sizeof sums_);
  }

 private:
  static float first(std::uint32_t pair) { return std::bit_cast<float>(pair << 16); }
  static float second(std::uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }
  void add_row(int i, std::uint32_t a, const std::uint32_t* b) {
    for (int j = 0; j < AmxWords::tile_columns; ++j)
      sums_[i][j] += first(a) * first(b[j]) + second(a) * second(b[j]);
  }

  float sums_[AmxWords::tile_rows][AmxWords::tile_columns] = {};
};

#endif

/// a: one strip as pack_left<AmxWords> lays it out, b: one strip [words][32].
template <class C>
[[gnu::noinline]] void multiply_tile(std::int64_t words, PackedLeft<AmxWords> left,
                                     const std::uint32_t* b,
                                     const TileTarget<AmxWords, C>& target) {
  const std::uint32_t* a = left.at;
  target.prefetch();
  AmxSums unit;
  for (std::int64_t k = 0; k < words; k += amx_side) {
    // b comes from the second-level cache: two steps ahead.
    for (int i = 0; i < 2 * amx_words; i += amx_side) __builtin_prefetch(b + 4 * amx_words + i);
    unit.add_product(a, b);
    a += 2 * amx_words;
    b += 2 * amx_words;
  }
  alignas(64) float sums[AmxWords::tile_rows][AmxWords::tile_columns];
  unit.store(sums);
  constexpr int width = lanes<float>;
  target.with_case([&]<bool Added, bool Accumulate>() {
    for (std::int64_t i = 0; i < target.rows; ++i)
      for (std::int64_t j = 0; j < target.columns; j += width)
        target.template write<Added, Accumulate>(i, j, load(&sums[i][j]),
                                                 std::min<std::int64_t>(width, target.columns - j));
  });
}

/// Sixteen rows of x from `row` on and sixteen words from element `k` on, row by row: one
/// register's image. What lies outside of x.rows or beyond `k_end` is 0.
inline void pack_register(const Factor<BFloat16>& x, std::int64_t row, std::int64_t k,
                          std::int64_t k_end, std::uint32_t* out) {
  static_assert(lanes<std::uint32_t> == amx_side);
  Vec<std::uint32_t> words[amx_side] = {};
  const std::int64_t rows = std::min<std::int64_t>(amx_side, x.rows - row);
  if (x.k_contiguous) {
    for (std::int64_t r = 0; r < rows; ++r)
      words[r] = PairedWords::load_along_k(x.at(row + r, k), k_end - k);
  } else {
    for (std::int64_t i = 0; i < amx_side && k + 2 * i < k_end; ++i) {
      const BFloat16* p = x.at(row, k + 2 * i);
      const BFloat16* next = k + 2 * i + 1 < k_end ? p + x.stride : nullptr;
      pack_row<PairedWords, amx_side>(p, next, rows, rows == amx_side,
                                      reinterpret_cast<std::uint32_t*>(&words[i]));
    }
    transpose<std::uint32_t>(words);
  }
  std::memcpy(out, words, sizeof words);
}

/// Strips of 32 rows, each as [words / 16][2][16 rows][16 words]: the registers' images in the
/// order in which they are loaded.
template <>
inline void pack_left<AmxWords>(const Factor<BFloat16>& a, Range rows, Range k, std::int64_t words,
                                std::uint32_t* out) {
  Factor<BFloat16> part = a;
  part.rows = rows.end;
  for (std::int64_t row = rows.begin; row < rows.end; row += AmxWords::tile_rows) {
    for (std::int64_t word = 0; word < words; word += amx_side) {
      const std::int64_t at = k.begin + word * AmxWords::depth;
      pack_register(part, row, at, k.end, out);
      pack_register(part, row + amx_side, at, k.end, out + amx_words);
      out += 2 * amx_words;
    }
  }
}

#endif

}  // namespace boostr::cpu::BOOSTR_ISA
