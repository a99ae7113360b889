#pragma once

#include <string>

#include "trainer/recipe_load.h"
#include "trainer/verify.h"

namespace boostr {

/// What the verify verb was asked for.
struct VerifyRequest {
  VerifyOptions options;          ///< tolerance 0: what the precision allows
  std::string precision = "f64";  ///< f64, or configured: what the recipe computes in
  int ranks = 1;
  bool on_threads = true;  ///< play the ranks, rather than processes that were started
};

/// The ranks that a mesh needs; a degree that is inferred counts once.
int ranks_of(const ParallelismSection& mesh);

/// The verify verb: as one of the ranks that were started, or on threads that play them. Rank 0
/// prints what was found. Returns 0 if nothing differs, else ExitCode::numeric.
int verify_command(const LoadedRecipe& loaded, const VerifyRequest& request);

}  // namespace boostr
