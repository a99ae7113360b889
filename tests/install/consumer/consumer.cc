#include <iostream>

#include "ops/elementwise.h"
#include "trainer/lr_schedule.h"

/// A program outside the tree: computes with an op and asks a schedule.
int main() {
  const boostr::Tensor a = boostr::Tensor::full({3}, boostr::DType::f32, 2.0);
  const double sum = boostr::sum(boostr::add(a, a)).item();
  const double factor = boostr::LrSchedule({.warmup_steps = 4}, 10).factor(1);
  std::cout << sum << ' ' << factor << '\n';
  return sum == 12.0 && factor == 0.25 ? 0 : 1;
}
