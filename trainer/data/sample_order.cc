#include "trainer/data/sample_order.h"

#include <cmath>

#include "kernels/runtime/error.h"
#include "trainer/data/mixture.h"
#include "trainer/data/permutation.h"

namespace boostr {
namespace {

double total_weight(const std::vector<SourceCursor>& sources) {
  double total = 0;
  for (const SourceCursor& source : sources) total += source.weight;
  return total;
}

/// Where `source` was in the saved run: the same place if the number of sources is the same (a
/// folder may have moved), else the place of the same name; -1 if it is new.
int place_in(const DataCursor& saved, const std::vector<SourceShare>& sources, std::size_t index) {
  if (saved.sources.size() == sources.size()) return static_cast<int>(index);
  for (std::size_t i = 0; i < saved.sources.size(); ++i) {
    if (saved.sources[i].name == sources[index].name) return static_cast<int>(i);
  }
  return -1;
}

/// The beginning of the next epoch of a source that now has `samples` samples: an epoch number that
/// was not used yet.
std::int64_t next_epoch(const SourceCursor& saved, std::int64_t samples) {
  const std::int64_t epochs =
      saved.consumed / saved.samples + (saved.consumed % saved.samples != 0);
  return epochs * samples;
}

SourceCursor resume_source(const DataCursor& saved, int place, const SourceShare& now,
                           bool same_order, std::vector<std::string>& changes) {
  SourceCursor source{now.name, now.weight, now.samples, 0, 0};
  if (place < 0) {
    changes.push_back(text("data source '", now.name, "' is new"));
    return source;
  }
  const SourceCursor& before = saved.sources[place];
  source.consumed = before.consumed;
  source.rebased = before.rebased;
  if (before.name != now.name) {
    changes.push_back(text("data source '", before.name, "' is now '", now.name, "'"));
  }
  if (before.samples != now.samples) {
    changes.push_back(text("data source '", now.name, "' had ", before.samples,
                           " training samples and has ", now.samples,
                           ": it starts a new permutation"));
  }
  if (before.samples != now.samples || !same_order) {
    source.consumed = next_epoch(before, now.samples);
    source.rebased = source.consumed;
  }
  if (before.weight != now.weight) {
    changes.push_back(
        text("weight of data source '", now.name, "': ", before.weight, " -> ", now.weight));
  }
  return source;
}

/// Whether the mixture can go on counting from where it began: same sources, same shares, no count
/// moved.
bool same_mixture(const DataCursor& saved, const DataCursor& now) {
  if (saved.sources.size() != now.sources.size()) return false;
  const double ratio = total_weight(now.sources) / total_weight(saved.sources);
  for (std::size_t i = 0; i < now.sources.size(); ++i) {
    const SourceCursor &before = saved.sources[i], &after = now.sources[i];
    if (before.consumed != after.consumed) return false;
    if (before.weight * ratio != after.weight && before.weight != after.weight) return false;
  }
  return true;
}

}  // namespace

SampleOrder::SampleOrder(DataCursor cursor) : cursor_(std::move(cursor)) {
  const double total = total_weight(cursor_.sources);
  require(std::isfinite(total) && total > 0, ExitCode::usage, "data.train: the weights of the ",
          cursor_.sources.size(), " sources add up to ", total, "; at least one must be positive");
  for (const SourceCursor& source : cursor_.sources) {
    shares_.push_back(source.weight / total);
    drawn_.push_back(source.consumed - source.rebased);
  }
}

SampleId SampleOrder::next() {
  const std::size_t chosen = choose_source(shares_, drawn_);
  SourceCursor& source = cursor_.sources[chosen];
  const std::int64_t epoch = source.consumed / source.samples;
  const std::uint64_t key =
      mix_key(mix_key(cursor_.seed, chosen), static_cast<std::uint64_t>(epoch));
  const std::int64_t sample = Permutation(source.samples, key)(source.consumed % source.samples);
  ++source.consumed;
  ++drawn_[chosen];
  ++cursor_.consumed;
  return {static_cast<std::int32_t>(chosen), sample};
}

std::vector<SampleId> SampleOrder::next(std::int64_t count) {
  std::vector<SampleId> samples;
  samples.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) samples.push_back(next());
  return samples;
}

DataCursor start_cursor(const std::vector<SourceShare>& sources, std::uint64_t seed) {
  DataCursor cursor{seed, 0, {}};
  for (const SourceShare& source : sources) {
    require(std::isfinite(source.weight) && source.weight >= 0, ExitCode::usage, "data source '",
            source.name, "': weight is ", source.weight, "; expected a number >= 0");
    expect(source.samples >= 1, "data source '", source.name, "' has no samples");
    cursor.sources.push_back({source.name, source.weight, source.samples, 0, 0});
  }
  return cursor;
}

ResumedCursor resume_cursor(const DataCursor& saved, const std::vector<SourceShare>& sources,
                            std::uint64_t seed) {
  ResumedCursor resumed;
  resumed.cursor = start_cursor(sources, seed);
  resumed.cursor.consumed = saved.consumed;
  const bool same_seed = saved.seed == seed;
  if (!same_seed) {
    resumed.changes.push_back(text("training.seed: ", saved.seed, " -> ", seed,
                                   ": every data source starts a new permutation"));
  }
  std::vector<bool> continued(saved.sources.size(), false);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const int place = place_in(saved, sources, i);
    const bool same_order = same_seed && place == static_cast<int>(i);
    resumed.cursor.sources[i] =
        resume_source(saved, place, sources[i], same_order, resumed.changes);
    if (place >= 0) continued[place] = true;
  }
  for (std::size_t i = 0; i < saved.sources.size(); ++i) {
    if (!continued[i]) {
      resumed.changes.push_back(text("data source '", saved.sources[i].name, "' is gone"));
    }
  }
  if (!same_mixture(saved, resumed.cursor)) {
    for (SourceCursor& source : resumed.cursor.sources) source.rebased = source.consumed;
  }
  return resumed;
}

}  // namespace boostr
