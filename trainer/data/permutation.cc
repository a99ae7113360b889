#include "trainer/data/permutation.h"

#include <algorithm>
#include <bit>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// The output function of splitmix64: a bijection of 64-bit words in which every input bit reaches
/// every output bit.
std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Halves of 1 or 2 bits generate only a small group of permutations, and some orders would be more
/// frequent.
constexpr int smallest_half = 3;

}  // namespace

std::uint64_t mix_key(std::uint64_t key, std::uint64_t value) {
  return scramble(scramble(key + 0x9e3779b97f4a7c15u) ^ (value + 0x9e3779b97f4a7c15u));
}

Permutation::Permutation(std::int64_t size, std::uint64_t key)
    : size_(static_cast<std::uint64_t>(size)) {
  expect(size >= 1 && size <= std::int64_t{1} << 62, "permutation of ", size, " numbers");
  half_bits_ = std::max(smallest_half, (static_cast<int>(std::bit_width(size_ - 1)) + 1) / 2);
  for (int round = 0; round < num_rounds; ++round) {
    round_keys_[round] = mix_key(key, static_cast<std::uint64_t>(round));
  }
}

std::uint64_t Permutation::encrypt(std::uint64_t value) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  std::uint64_t left = value >> half_bits_;
  std::uint64_t right = value & mask;
  for (const std::uint64_t round_key : round_keys_) {
    const std::uint64_t next = left ^ (scramble(right ^ round_key) & mask);
    left = right;
    right = next;
  }
  return (left << half_bits_) | right;
}

std::int64_t Permutation::operator()(std::int64_t i) const {
  expect(i >= 0 && i < size(), "permutation: position ", i, " is not in [0, ", size_, ")");
  std::uint64_t value = encrypt(static_cast<std::uint64_t>(i));
  while (value >= size_) value = encrypt(value);
  return static_cast<std::int64_t>(value);
}

}  // namespace boostr
