#include "trainer/checkpoint/hash.h"

#include <xxhash.h>

#include <array>

#include "kernels/runtime/error.h"

namespace boostr {

void Hash128::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Hash128::Hash128() : state_(XXH3_createState()) {
  require(state_ && XXH3_128bits_reset(state_.get()) == XXH_OK, ExitCode::memory,
          "out of memory: cannot make a hash state");
}

void Hash128::update(const void* data, std::size_t bytes) {
  if (bytes > 0) XXH3_128bits_update(state_.get(), data, bytes);
}

std::string Hash128::digest() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
  constexpr std::array digits = {'0', '1', '2', '3', '4', '5', '6', '7',
                                 '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

std::string hash128(std::string_view bytes) {
  Hash128 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.digest();
}

}  // namespace boostr
