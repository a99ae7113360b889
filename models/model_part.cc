#include "models/model_part.h"

#include <algorithm>
#include <limits>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Cuts of a sequence of links into parts, by dynamic programming over (parts, links).
class Cuts {
 public:
  Cuts(std::vector<double> links, int count) : count_(count) {
    sums_.push_back(0);
    for (const double link : links) sums_.push_back(sums_.back() + link);
  }

  /// The least that the dearest part can cost.
  double least_bound() const {
    return solve([](double before, double part) { return std::max(before, part); }).cost;
  }

  /// Where each part ends, with no part above `bound` and the least sum of squares.
  std::vector<std::size_t> ends(double bound) const {
    const double room = bound * (1 + 1e-12);
    return solve([room](double before, double part) {
             return part > room ? infinity : before + part * part;
           })
        .ends;
  }

 private:
  struct Solution {
    double cost = infinity;
    std::vector<std::size_t> ends;
  };
  /// The cheapest cut of some links: its cost, and where its last part begins.
  struct Cheapest {
    double cost = infinity;
    std::size_t begin = 0;
  };

  /// Of the first `end` links, where `before` has the cheapest cuts into one part fewer, and `add`
  /// gives the cost of such a cut and one more part.
  template <class Add>
  Cheapest with_last_part(const std::vector<Cheapest>& before, std::size_t end, Add&& add) const {
    Cheapest best;
    for (std::size_t begin = 0; begin < end; ++begin) {
      const double cost = add(before[begin].cost, sums_[end] - sums_[begin]);
      if (cost < best.cost) best = {cost, begin};
    }
    return best;
  }

  template <class Add>
  Solution solve(Add&& add) const {
    const std::size_t links = sums_.size() - 1, parts = static_cast<std::size_t>(count_);
    std::vector<std::vector<Cheapest>> cuts(parts + 1, std::vector<Cheapest>(links + 1));
    cuts[0][0].cost = 0;
    for (std::size_t part = 1; part <= parts; ++part)
      for (std::size_t end = part; end <= links; ++end)
        cuts[part][end] = with_last_part(cuts[part - 1], end, add);
    Solution solution{cuts[parts][links].cost, std::vector<std::size_t>(parts)};
    for (std::size_t part = parts, end = links; part > 0; end = cuts[part][end].begin, --part)
      solution.ends[part - 1] = end;
    return solution;
  }

  int count_;
  std::vector<double> sums_;  ///< of the first i links
};

}  // namespace

std::vector<ModelPart> cut_chain(std::int64_t num_layers, int count, const ChainCosts& costs) {
  require(count >= 1 && count <= num_layers + 2, ExitCode::usage, "a model of ", num_layers,
          " layers cannot be cut into ", count,
          " parts: with the embedding and the head it has only ", num_layers + 2, " links");
  std::vector<double> links{costs.embed};
  links.insert(links.end(), static_cast<std::size_t>(num_layers), costs.layer);
  links.push_back(costs.head);
  const Cuts cuts(std::move(links), count);
  std::vector<ModelPart> parts;
  std::int64_t begin = 0;  // of a part, among the links
  for (const std::size_t stop : cuts.ends(cuts.least_bound())) {
    const auto end = static_cast<std::int64_t>(stop);
    const auto layer_at = [&](std::int64_t link) {
      return std::clamp<std::int64_t>(link - 1, 0, num_layers);
    };
    parts.push_back({begin == 0, layer_at(begin), layer_at(end), end == num_layers + 2});
    begin = end;
  }
  return parts;
}

}  // namespace boostr
