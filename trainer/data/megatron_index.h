#pragma once

#include <cstdint>
#include <memory>

#include "trainer/data/file_bytes.h"
#include "trainer/data/token_stream.h"

namespace boostr {

/// Megatron's indexed dataset (Megatron-LM, megatron/core/datasets/indexed_dataset.py): the ids lie
/// in `bin`; `index` is
///
///   "MMIDIDX\0\0", u64 version = 1, u8 dtype, u64 S sequences, u64 D entries of the document
///   index, S x i32 lengths (tokens), S x i64 pointers (bytes into bin), D x i64 first sequence of
///   each document, the last = S, and for multimodal data S x i8 modes,
///
/// all little-endian and unaligned. Dtypes 1 u8, 3 i16, 4 i32, 5 i64, 8 u16 hold ids. The stream is
/// the sequences in their order. Every length, pointer and document is checked against the sizes of
/// both files before anything is read; throws Error(data), naming the entry.
TokenStream open_megatron(const std::shared_ptr<const FileBytes>& bin,
                          const std::shared_ptr<const FileBytes>& index, std::int64_t vocab_size);

}  // namespace boostr
