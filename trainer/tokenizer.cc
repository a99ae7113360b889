#include "trainer/tokenizer.h"

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// One token per byte: 256 ids, no vocabulary file, no document separator.
class ByteTokenizer final : public Tokenizer {
 public:
  std::string name() const override { return "byte"; }
  std::int64_t vocab_size() const override { return 256; }
  std::optional<std::int32_t> document_end() const override { return std::nullopt; }
  bool ids_are_bytes() const override { return true; }

  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    ids.reserve(ids.size() + text.size());
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  }

  std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string bytes;
    bytes.reserve(ids.size());
    for (const std::int32_t id : ids) {
      expect(id >= 0 && id < 256, "byte tokenizer: id ", id, " is not in [0, 256)");
      bytes.push_back(static_cast<char>(id));
    }
    return bytes;
  }
};

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSection& section) {
  require(section.type == "byte", ExitCode::usage, "tokenizer.type: '", section.type,
          "' is not known; expected byte");
  return std::make_unique<ByteTokenizer>();
}

}  // namespace boostr
