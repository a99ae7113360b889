// Compiled for the machine it is built on, so that the yardstick's loads and stores are the widest.
#include "tests/benchmarks/bandwidth.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/parallel_for.h"
#include "kernels/cpu/simd.h"

namespace boostr::benchmarks {
namespace {

using namespace boostr::cpu::BOOSTR_ISA;

using Word = std::uint32_t;
constexpr std::int64_t step = simd_bytes;
constexpr double seconds_of_yardstick = 0.008;

void put(std::byte* p, Vec<Word> value, bool around_caches) {
#if defined(__AVX512F__)
  if (around_caches)
    return _mm512_stream_si512(reinterpret_cast<__m512i*>(p), reinterpret_cast<__m512i>(value));
#elif defined(__AVX__)
  if (around_caches)
    return _mm256_stream_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(value));
#endif
  static_cast<void>(around_caches);
  std::memcpy(p, &value, sizeof value);
}

Vec<Word> get(const std::byte* p) {
  Vec<Word> value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// The rest of one thread's part of a tensor.
struct Cursor {
  std::byte* at;
  std::byte* end;
  std::int64_t stride;  ///< bytes before the next tensor's turn

  std::byte* turn_end() const { return at + std::min<std::int64_t>(stride, end - at); }
};

// The prefetcher of the processor stops at the end of a page, and what a turn reads next is known.
constexpr std::int64_t ahead = 2048;

void read(Cursor& cursor, Vec<Word>& seen, bool fetch_ahead) {
  for (std::byte* end = cursor.turn_end(); cursor.at < end; cursor.at += step) {
    if (fetch_ahead) __builtin_prefetch(cursor.at + ahead);
    seen ^= get(cursor.at);
  }
}

void update(Cursor& cursor, bool fetch_ahead) {
  for (std::byte* end = cursor.turn_end(); cursor.at < end; cursor.at += step) {
    if (fetch_ahead) __builtin_prefetch(cursor.at + ahead);
    Vec<Word> value = get(cursor.at);
    asm("" : "+x"(value));  // or nothing would be stored
    put(cursor.at, value, false);
  }
}

void write(Cursor& cursor, Vec<Word> value, bool around_caches) {
  for (std::byte* end = cursor.turn_end(); cursor.at < end; cursor.at += step)
    put(cursor.at, value, around_caches);
}

/// One way to move the bytes: `block_bytes` of the largest tensor and as large a part of the others
/// in turn, stores through or around the caches, and loads with or without fetching ahead.
class Mover {
 public:
  Mover(const Traffic& traffic, std::int64_t block_bytes, bool around_caches, bool fetch_ahead)
      : traffic_(traffic), around_caches_(around_caches), fetch_ahead_(fetch_ahead) {
    std::size_t largest = 0;
    for (const In& in : traffic.reads) largest = std::max(largest, in.bytes());
    for (const Out& out : traffic.writes) largest = std::max(largest, out.bytes());
    for (const Out& out : traffic.updates) largest = std::max(largest, out.bytes());
    blocks_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(largest) / block_bytes);
  }

  void run(const Stream& stream) const {
    const int parts = stream.num_threads();
    parallel_for(stream, parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part) move(part, parts);
    });
  }

 private:
  Cursor cursor(const In& view, std::int64_t part, std::int64_t parts) const {
    const auto bytes = static_cast<std::int64_t>(view.bytes());
    const Range range = part_of(bytes / step * step, step, part, parts);
    auto* first = static_cast<std::byte*>(const_cast<void*>(view.data));
    return {first + range.begin, first + range.end,
            (bytes + blocks_ * step - 1) / (blocks_ * step) * step};
  }
  void move(std::int64_t part, std::int64_t parts) const {
    std::vector<Cursor> reads, updates, writes;
    for (const In& in : traffic_.reads) reads.push_back(cursor(in, part, parts));
    for (const Out& out : traffic_.updates) updates.push_back(cursor(out, part, parts));
    for (const Out& out : traffic_.writes) writes.push_back(cursor(out, part, parts));
    Vec<Word> seen{};
    for (std::int64_t block = 0; block <= blocks_ / parts; ++block) {
      for (Cursor& cursor : reads) read(cursor, seen, fetch_ahead_);
      for (Cursor& cursor : updates) update(cursor, fetch_ahead_);
      for (Cursor& cursor : writes) write(cursor, seen, around_caches_);
    }
    asm volatile("" : : "x"(seen) : "memory");  // or the loads would be left out
  }

  Traffic traffic_;
  bool around_caches_;
  bool fetch_ahead_;
  std::int64_t blocks_ = 1;
};

}  // namespace

double Traffic::bytes() const {
  double sum = 0;
  for (const In& in : reads) sum += static_cast<double>(in.bytes());
  for (const Out& out : writes) sum += static_cast<double>(out.bytes());
  for (const Out& out : updates) sum += 2.0 * static_cast<double>(out.bytes());
  return sum;
}

Yardstick bandwidth(Stream& stream, const Traffic& traffic) {
  const auto seconds_of_run = [&stream](const Mover& mover) {
    return seconds_of(stream.num_threads(), [&] { mover.run(stream); });
  };
  std::vector<Mover> movers;
  for (const std::int64_t block_bytes : {256, 1024, 4096})
    for (const bool around_caches : {false, true})
      for (const bool fetch_ahead : {false, true})
        movers.emplace_back(traffic, block_bytes, around_caches, fetch_ahead);
  std::vector<double> seconds(movers.size(), INFINITY);
  for (int round = 0; round < 3; ++round)
    for (std::size_t i = 0; i < movers.size(); ++i)
      seconds[i] = std::min(seconds[i], seconds_of_run(movers[i]));
  const auto fastest = std::ranges::min_element(seconds) - seconds.begin();
  const int repetitions = static_cast<int>(seconds_of_yardstick / seconds[fastest]) + 1;
  return [=, &stream, mover = movers[fastest], bytes = traffic.bytes() * repetitions] {
    return bytes / seconds_of(stream.num_threads(), [&] {
             for (int i = 0; i < repetitions; ++i) mover.run(stream);
           });
  };
}

}  // namespace boostr::benchmarks
