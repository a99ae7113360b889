#pragma once

#include <string>
#include <vector>

#include "trainer/data/token_stream.h"
#include "trainer/tokenizer.h"

namespace boostr {

/// One stream of all `paths` in their order, each plain-text file (.gz, .zst decompressed) one
/// document, with the tokenizer's document end after each if it has one. With a byte tokenizer
/// plain files are mapped, not copied. Throws Error(data).
TokenStream open_text_files(const std::vector<std::string>& paths, const Tokenizer& tokenizer,
                            std::int64_t vocab_size);

/// The same of JSON Lines files, each line's "text" one document (jsonl.h). The texts are held in
/// memory, encoded.
TokenStream open_jsonl_files(const std::vector<std::string>& paths, const Tokenizer& tokenizer,
                             std::int64_t vocab_size);

}  // namespace boostr
