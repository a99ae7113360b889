#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace boostr {

/// The source that the next sample of a mixture comes from, given how many samples each source has
/// already `drawn` under these `shares` (not negative, summing to 1; at least one positive).
///
/// After n samples every source has been drawn share * n times to within less than one sample, for
/// any number of sources: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32
/// (1980). Depends on nothing else, so the counts are all the state there is. O(sources).
std::size_t choose_source(std::span<const double> shares, std::span<const std::int64_t> drawn);

}  // namespace boostr
