#include "trainer/metrics/rank_times.h"

#include <algorithm>

namespace boostr {

int TimesOfRanks::slowest() const {
  return static_cast<int>(std::ranges::max_element(busy) - busy.begin());
}

RankTimes& RankTimes::operator+=(const RankTimes& more) {
  wall += more.wall;
  held_up += more.held_up;
  pipeline_span += more.pipeline_span;
  pipeline_work += more.pipeline_work;
  pipeline_idle += more.pipeline_idle;
  return *this;
}

RankTimes RankTimes::operator-(const RankTimes& before) const {
  return {wall - before.wall, held_up - before.held_up, pipeline_span - before.pipeline_span,
          pipeline_work - before.pipeline_work, pipeline_idle - before.pipeline_idle};
}

TimesOfRanks gather_times(Communicator& world, const RankTimes& mine) {
  static_assert(sizeof(RankTimes) % sizeof(double) == 0);
  constexpr std::int64_t numbers = sizeof(RankTimes) / sizeof(double);
  std::vector<RankTimes> all(static_cast<std::size_t>(world.size()));
  world
      .all_gather(Out{all.data(), DType::f64, Shape{numbers * world.size()}},
                  In{&mine, DType::f64, Shape{numbers}})
      .wait();
  TimesOfRanks result;
  double span = 0, work = 0, exposed = 0, wall = 0;
  for (const RankTimes& rank : all) {
    span = std::max(span, rank.pipeline_span);
    work = std::max(work, rank.pipeline_work);
    exposed += std::max(0.0, rank.held_up - rank.pipeline_idle);
    wall += rank.wall;
    result.busy.push_back(rank.wall - std::max(rank.held_up, rank.pipeline_idle));
  }
  result.bubble_rate = span > 0 ? (span - work) / span : 0;
  result.exposed_communication = wall > 0 ? exposed / wall : 0;
  return result;
}

}  // namespace boostr
