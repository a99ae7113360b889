#include "trainer/data/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// A vector that grows by doubling up to a limit, written from the front.
class Output {
 public:
  Output(std::size_t hint, std::size_t limit, const std::string& path)
      : path_(path), limit_(limit), bytes_(std::min(std::max<std::size_t>(hint, 1 << 16), limit)) {}

  /// Where to write next; room for at least one byte. Throws Error(data) at the limit.
  std::span<std::byte> room() {
    if (used_ == bytes_.size()) {
      require(used_ < limit_, ExitCode::data, "'", path_, "' holds ", limit_,
              " bytes or more, too much to keep in memory; decompress it, plain files are mapped");
      bytes_.resize(std::min(limit_, 2 * bytes_.size()));
    }
    return std::span(bytes_).subspan(used_);
  }
  void advance(std::size_t count) { used_ += count; }

  std::vector<std::byte> take() {
    bytes_.resize(used_);
    bytes_.shrink_to_fit();
    return std::move(bytes_);
  }

 private:
  const std::string& path_;
  std::size_t limit_;
  std::size_t used_ = 0;
  std::vector<std::byte> bytes_;
};

[[noreturn]] void damaged(const std::string& path, const std::string& why) {
  throw Error(ExitCode::data, text("'", path, "' is damaged: ", why));
}

constexpr std::size_t typical_ratio = 4;

}  // namespace

std::vector<std::byte> decompress_gzip(std::span<const std::byte> bytes, const std::string& path,
                                       std::size_t limit) {
  z_stream stream{};
  constexpr int gzip_only = 15 + 16;
  expect(inflateInit2(&stream, gzip_only) == Z_OK, "zlib: inflateInit2 failed");
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> cleanup(&stream, inflateEnd);

  Output output(bytes.size() * typical_ratio, limit, path);
  std::size_t used = 0;
  bool inside_member = false;
  while (used < bytes.size() || inside_member) {
    // zlib counts in 32 bits: a big file goes in slices.
    const std::size_t slice = std::min<std::size_t>(bytes.size() - used, 1 << 30);
    const auto room = output.room();
    const std::size_t space = std::min<std::size_t>(room.size(), 1 << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data() + used));
    stream.avail_in = static_cast<uInt>(slice);
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(space);
    const int status = inflate(&stream, Z_NO_FLUSH);
    used += slice - stream.avail_in;
    output.advance(space - stream.avail_out);
    inside_member = status != Z_STREAM_END;
    if (status == Z_BUF_ERROR && used == bytes.size()) damaged(path, "the gzip data end too early");
    if (status != Z_OK && status != Z_STREAM_END) {
      damaged(path, text("byte ", used, ": ", stream.msg ? stream.msg : "not gzip data"));
    }
    if (status == Z_STREAM_END) expect(inflateReset(&stream) == Z_OK, "zlib: inflateReset failed");
  }
  return output.take();
}

std::vector<std::byte> decompress_zstd(std::span<const std::byte> bytes, const std::string& path,
                                       std::size_t limit) {
  const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(),
                                                                          ZSTD_freeDStream);
  expect(stream != nullptr, "zstd: ZSTD_createDStream failed");
  Output output(bytes.size() * typical_ratio, limit, path);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  bool inside_frame = false;
  while (in.pos < in.size || inside_frame) {
    const auto room = output.room();
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t before = in.pos;
    const std::size_t status = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(status)) damaged(path, text("byte ", in.pos, ": ", ZSTD_getErrorName(status)));
    output.advance(out.pos);
    inside_frame = status != 0;
    if (inside_frame && out.pos == 0 && in.pos == before) {
      damaged(path, "the zstd data end too early");
    }
  }
  return output.take();
}

}  // namespace boostr
