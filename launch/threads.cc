#include "launch/threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace boostr {
namespace {

/// The host's name and the cores a rank may use: equal for ranks that share cores.
struct Place {
  std::array<char, 128> host{};
  cpu_set_t cores;
};

Place this_place() {
  Place place;
  std::memset(&place.cores, 0, sizeof place.cores);
  gethostname(place.host.data(), place.host.size() - 1);
  sched_getaffinity(0, sizeof place.cores, &place.cores);
  return place;
}

}  // namespace

int threads_of_this_rank(Communicator& world, int requested) {
  const Place mine = this_place();
  std::vector<Place> all(static_cast<std::size_t>(world.size()));
  const auto bytes = static_cast<std::int64_t>(sizeof(Place));
  world
      .all_gather(Out{all.data(), DType::u8, Shape{bytes * world.size()}},
                  In{&mine, DType::u8, Shape{bytes}})
      .wait();
  const auto sharing = std::ranges::count_if(
      all, [&](const Place& other) { return std::memcmp(&other, &mine, sizeof mine) == 0; });
  if (requested > 0) return requested;
  return std::max(1, CPU_COUNT(&mine.cores) / static_cast<int>(sharing));
}

}  // namespace boostr
