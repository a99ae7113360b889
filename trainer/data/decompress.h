#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace boostr {

/// What one compressed file must stay below: it is decompressed into memory, on every rank.
constexpr std::size_t largest_decompressed = std::size_t{4} << 30;

/// The contents of a gzip file (RFC 1952; all of its members). `path` names it in errors. Throws
/// Error(data) if it is damaged, truncated, followed by other bytes, or holds `limit` bytes or
/// more.
std::vector<std::byte> decompress_gzip(std::span<const std::byte> bytes, const std::string& path,
                                       std::size_t limit = largest_decompressed);

/// As decompress_gzip, for a Zstandard file (RFC 8878; all of its frames).
std::vector<std::byte> decompress_zstd(std::span<const std::byte> bytes, const std::string& path,
                                       std::size_t limit = largest_decompressed);

}  // namespace boostr
