#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace boostr {

/// XXH3-128 of bytes that come in pieces; the digest is what `xxhsum -H2` prints (32 lower-case
/// hexadecimal digits). Finds accidents, not attacks: whoever can write a folder can also write its
/// hashes.
class Hash128 {
 public:
  Hash128();
  void update(const void* data, std::size_t bytes);
  std::string digest() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

std::string hash128(std::string_view bytes);

}  // namespace boostr
