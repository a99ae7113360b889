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

/// A key of another project and what it is here: our key's dotted path, or a sentence.
struct ForeignKey {
  std::string_view key;
  std::string_view project;
  std::string_view ours;
};
std::span<const ForeignKey> foreign_keys();

/// The hint for another project's key, as the end of a message:
/// "DeepSpeed's train_micro_batch_size_per_gpu is training.micro_batch_size here". Empty if
/// nobody's.
std::string foreign_key_hint(std::string_view key);

/// Our name for a value that other projects write so (bfloat16: bf16); empty if there is none.
std::string_view foreign_value(std::string_view value);

}  // namespace boostr
