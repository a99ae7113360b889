#include "trainer/data/mixture.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/runtime/error.h"

namespace boostr {

std::size_t choose_source(std::span<const double> shares, std::span<const std::int64_t> drawn) {
  const auto competing =
      std::count_if(shares.begin(), shares.end(), [](double s) { return s > 0; });
  expect(competing > 0 && shares.size() == drawn.size(), "mixture: ", shares.size(),
         " shares of which ", competing, " are positive, ", drawn.size(), " counts");
  // Tijdeman's bound on how far a source may run ahead of or fall behind its share.
  const double bound = competing > 1 ? 1.0 - 1.0 / (2.0 * double(competing) - 2.0) : 1.0;
  const double n = double(std::accumulate(drawn.begin(), drawn.end(), std::int64_t{0}) + 1);

  // Of the sources that may be drawn without running ahead of the bound, the one that would first
  // fall behind it.
  std::size_t chosen = shares.size(), most_behind = 0;
  double earliest = std::numeric_limits<double>::infinity();
  double largest_deficit = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] <= 0) continue;
    const double deficit = shares[i] * n - double(drawn[i]);
    const double deadline = (bound - deficit) / shares[i];
    if (deficit >= 1.0 - bound && deadline < earliest) chosen = i, earliest = deadline;
    if (deficit > largest_deficit) most_behind = i, largest_deficit = deficit;
  }
  // The theorem promises a candidate; rounding of huge counts may hide it.
  return chosen < shares.size() ? chosen : most_behind;
}

}  // namespace boostr
