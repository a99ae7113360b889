#pragma once

#include <array>
#include <cstdint>

namespace boostr {

/// A pseudo-random permutation of [0, size) that is computed, not stored: position i of any epoch
/// of any source costs the same few nanoseconds, so that a data order needs no memory and can be
/// entered anywhere.
///
/// A balanced Feistel network permutes the smallest 4^b >= size numbers, but at least 64; a result
/// outside [0, size) is permuted again until it falls inside (cycle walking; fewer than 4 times on
/// average but for tiny sizes). J. Black, P. Rogaway: "Ciphers with Arbitrary Finite Domains",
/// CT-RSA 2002.
class Permutation {
 public:
  /// `size` in [1, 2^62]. Equal keys give equal permutations on every machine.
  Permutation(std::int64_t size, std::uint64_t key);

  std::int64_t size() const { return static_cast<std::int64_t>(size_); }
  /// The image of i in [0, size); throws Error(internal) outside.
  std::int64_t operator()(std::int64_t i) const;

 private:
  static constexpr int num_rounds = 8;

  std::uint64_t encrypt(std::uint64_t value) const;

  std::uint64_t size_;
  int half_bits_;
  std::array<std::uint64_t, num_rounds> round_keys_;
};

/// Mixes `value` into `key`; chained, it makes one key of several numbers.
std::uint64_t mix_key(std::uint64_t key, std::uint64_t value);

}  // namespace boostr
