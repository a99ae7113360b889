#pragma once

#include <vector>

#include "tests/benchmarks/fraction.h"

namespace boostr::benchmarks {

/// The tensors that a kernel reads, writes, and updates in place, each once.
struct Traffic {
  std::vector<In> reads;
  std::vector<Out> writes;
  std::vector<Out> updates;

  double bytes() const;
};

/// Bytes per second at which all threads of `stream` (which must outlive it) do this traffic and
/// nothing else, through the same memory in the same order as a kernel would, so in the same level
/// of cache, in the fastest of a few ways (sizes of blocks, stores through or around the caches,
/// loads with or without fetching ahead).
/// Written tensors lose their values.
Yardstick bandwidth(Stream& stream, const Traffic& traffic);

}  // namespace boostr::benchmarks
