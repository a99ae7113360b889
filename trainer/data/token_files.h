#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "trainer/data/file_bytes.h"
#include "trainer/data/token_stream.h"

namespace boostr {

/// Opens one file of token ids as a stream of its own. By the ending of `path`:
/// - `.u16`, `.u32`: raw little-endian ids, no header, no document boundaries;
/// - `.bin` with an `.idx` beside it: Megatron's indexed dataset, with documents
/// (megatron_index.h);
/// - `.bin` alone: llm.c's, 256 x i32 header {magic, version, count}, then `count` ids; magic
/// 20240520 version 1 is u16
///   (GPT-2), 20240801 version 7 is u32 (LLaMA 3); no document boundaries.
///
/// Every number of a header is checked against the size of the file; ids are checked as they are
/// read. Throws Error(data) for everything else.
TokenStream open_token_file(const std::string& path, std::int64_t vocab_size);

/// llm.c's file, already opened.
TokenBlock llm_c_tokens(std::shared_ptr<const FileBytes> file);

/// Raw ids of `type` from the first byte to the last.
TokenBlock raw_tokens(std::shared_ptr<const FileBytes> file, TokenType type);

}  // namespace boostr
