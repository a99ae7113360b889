#pragma once

#include "ops/tensor.h"

namespace boostr {

/// loss (f64, shape {1}) = scale * sum over the rows with target >= 0 of
/// log(sum(exp(logits[t, :]))) - logits[t, targets[t]]: logits [..., V], targets i32 [...], where a
/// negative target is ignored. See linear_cross_entropy for a loss that never holds all logits.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets, double scale);

}  // namespace boostr
