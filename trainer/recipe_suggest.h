#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace boostr {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`, letters'
/// case aside (Damerau-Levenshtein, optimal string alignment).
int edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was probably meant to be; empty if none is near. Of equally near ones
/// the first.
std::string_view closest(std::string_view word, std::span<const std::string_view> candidates);

/// What another project calls by this key and what it is here, as the end of a message:
/// "DeepSpeed's train_micro_batch_size_per_gpu is training.micro_batch_size here". Empty if
/// nobody's.
std::string foreign_key_hint(std::string_view key);

}  // namespace boostr
