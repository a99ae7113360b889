#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "parallel/comm/threads.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

namespace boostr {

/// What a training came to, to the bit.
struct TrainedBits {
  /// Loss, gradient norm and loss scale of every step, and the validation loss at the end.
  std::vector<double> numbers;
  std::map<std::string, std::vector<double>> state;  ///< masters and moments by place

  /// NaN is NaN here.
  friend bool operator==(const TrainedBits& a, const TrainedBits& b) {
    const auto bits = [](double number) { return std::bit_cast<std::uint64_t>(number); };
    return std::ranges::equal(a.numbers, b.numbers, {}, bits, bits) && a.state == b.state;
  }
  friend void PrintTo(const TrainedBits& trained, std::ostream* out) {
    *out << testing::PrintToString(trained.numbers) << ", weights and moments";
  }
};

/// How the steps of one training were settled.
struct SettledSteps {
  std::int64_t settled = 0;
  std::int64_t redone = 0, skipped = 0;
  std::int64_t late = 0;  ///< within the advance of the next one
};

/// The elements, as f64.
inline std::vector<double> values_of(const CheckpointTensor& tensor) {
  std::vector<double> values;
  const std::int64_t numel = tensor.local.shape.numel();
  if (tensor.local.dtype == DType::f64)
    values.assign(tensor.local.as<double>(), tensor.local.as<double>() + numel);
  else
    values.assign(tensor.local.as<float>(), tensor.local.as<float>() + numel);
  return values;
}

/// Trains `steps` steps on `ranks` thread ranks, without waiting for a step to be settled before the
/// next one.
inline TrainedBits train_bits(const Recipe& recipe, int ranks, int steps,
                              SettledSteps* counts = nullptr) {
  TrainedBits bits;
  SettledSteps counted;
  std::mutex mutex;  // guards bits
  run_ranks(ranks, [&](Communicator& world) {
    TrainingSetup setup(recipe, world);
    Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
    int step = 0;
    const auto settled = [&](const StepReport& report) {
      if (world.rank() != 0) return;
      bits.numbers.insert(bits.numbers.end(), {report.loss, report.grad_norm, report.loss_scale});
      ++counted.settled;
      counted.redone += report.redone ? 1 : 0;
      counted.skipped += report.skipped ? 1 : 0;
      counted.late += report.step < step ? 1 : 0;
    };
    while (step < steps) {
      ++step;
      trainer.advance(trainer.next_batch(), settled);
    }
    trainer.settle(settled);
    const double validation = trainer.validate().loss;
    const std::lock_guard lock(mutex);
    if (world.rank() == 0) bits.numbers.push_back(validation);
    for (const CheckpointTensor& tensor : trainer.tensors_to_load()) {
      const std::string place =
          text(tensor.group, "/", tensor.name, testing::PrintToString(tensor.offset));
      const std::vector<double> held = values_of(tensor);
      EXPECT_EQ(held, bits.state.emplace(place, held).first->second)
          << place << " is not alike on two ranks that hold it";
    }
  });
  if (counts != nullptr) *counts = counted;
  return bits;
}

}  // namespace boostr
