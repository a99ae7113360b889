#include "trainer/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "parallel/comm/self.h"
#include "trainer/agreement.h"
#include "trainer/checkpoint/byte_exchange.h"
#include "trainer/checkpoint/tensor_region.h"
#include "trainer/run_start.h"
#include "trainer/trainer.h"

namespace boostr {
namespace {

/// "[3, 17]": which element of a tensor of this shape number `index` in row-major order is.
std::string indices_of(std::int64_t index, const Shape& shape) {
  std::string text;
  for (int axis = shape.num_dims() - 1; axis >= 0; --axis) {
    text = fmt::format("{}{}{}", index % shape[axis], text.empty() ? "" : ", ", text);
    index /= shape[axis];
  }
  return "[" + text + "]";
}

/// What a number of a tensor of this group is.
std::string described(const std::string& group) {
  if (group == "gradients") return "gradient";
  if (group == "parameters") return "value";
  return group.substr(group.rfind('/') + 1);
}

double element(const Out& view, std::int64_t index) {
  return view.dtype == DType::f64 ? view.as<double>()[index] : double(view.as<float>()[index]);
}

double largest_magnitude(const Out& view) {
  double largest = 0;
  for (std::int64_t i = 0; i < view.shape.numel(); ++i)
    largest = std::max(largest, std::abs(element(view, i)));
  return largest;
}

/// Compares this rank's numbers of one step with those of one process, in a fixed order.
class Comparison {
 public:
  Comparison(std::int64_t step, int rank, double tolerance)
      : step_(step), rank_(rank), tolerance_(tolerance) {}

  void scalar(const std::string& what, double actual, double expected) {
    const double error = error_of(actual, expected, std::abs(expected));
    if (error > tolerance_ && !first_) first_ = {step_, rank_, what, "", expected, actual, error};
  }

  /// Parts of tensors with the whole ones.
  void tensors(const std::vector<CheckpointTensor>& parts,
               const std::vector<CheckpointTensor>& wholes) {
    std::map<std::pair<std::string, std::string>, const CheckpointTensor*> by_name;
    for (const CheckpointTensor& whole : wholes) by_name[{whole.group, whole.name}] = &whole;
    for (const CheckpointTensor& part : parts) tensor(part, *by_name.at({part.group, part.name}));
  }

  const std::optional<Difference>& first() const { return first_; }
  double largest_error() const { return largest_error_; }
  std::int64_t numbers() const { return numbers_; }

 private:
  void tensor(const CheckpointTensor& part, const CheckpointTensor& whole) {
    const double magnitude = largest_magnitude(whole.local);
    const auto compare = [&](std::int64_t mine, std::int64_t theirs) {
      const double actual = element(part.local, mine), expected = element(whole.local, theirs);
      const double error = error_of(actual, expected, magnitude);
      if (error > tolerance_ && !first_)
        first_ = {step_,
                  rank_,
                  described(part.group) + " of " + part.name,
                  indices_of(theirs, part.global_shape),
                  expected,
                  actual,
                  error};
    };
    for_each_overlap(part.region(), whole.region(),
                     [&](std::int64_t mine, std::int64_t theirs, std::int64_t count) {
                       for (std::int64_t i = 0; i < count; ++i) compare(mine + i, theirs + i);
                     });
  }

  /// Numbers that are not finite differ unless they are the same kind.
  double error_of(double actual, double expected, double magnitude) {
    ++numbers_;
    const bool same = actual == expected || (std::isnan(actual) && std::isnan(expected));
    const double error = same ? 0 : std::abs(actual - expected) / std::max(magnitude, 1e-300);
    const double finite = std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
    largest_error_ = std::max(largest_error_, finite);
    return finite;
  }

  std::int64_t step_;
  int rank_;
  double tolerance_;
  std::optional<Difference> first_;
  double largest_error_ = 0;
  std::int64_t numbers_ = 0;
};

/// What the lowest rank that found a difference found, on every rank.
std::optional<Difference> first_of_all(Communicator& world, const std::optional<Difference>& mine) {
  const auto none = static_cast<double>(world.size());
  const auto lowest = -all_ranks_max(world, mine ? -double(world.rank()) : -none);
  if (lowest == none) return std::nullopt;
  const int rank = static_cast<int>(lowest);
  Difference first = mine.value_or(Difference{});
  first.what = broadcast_bytes(world, first.what, rank);
  first.where = broadcast_bytes(world, first.where, rank);
  double numbers[] = {double(first.step), double(first.rank), first.expected, first.actual,
                      first.error};
  world.broadcast(Out{numbers, DType::f64, Shape{5}}, rank).wait();
  return Difference{std::int64_t(numbers[0]),
                    int(numbers[1]),
                    first.what,
                    first.where,
                    numbers[2],
                    numbers[3],
                    numbers[4]};
}

/// The recipe for one process that does the whole batch, in the same microbatches.
Recipe for_one_process(Recipe recipe) {
  recipe.parallelism = ParallelismSection{};
  return recipe;
}

TrainedStep trained_step(Trainer& trainer) {
  const StepReport report = trainer.step();
  TrainedStep step{report.loss, report.grad_norm, trainer.gradients()};
  for (CheckpointTensor& tensor : trainer.tensors_to_load())
    step.tensors.push_back(std::move(tensor));
  return step;
}

void compare_step(Comparison& comparison, const TrainedStep& actual, const TrainedStep& expected) {
  comparison.scalar("loss", actual.loss, expected.loss);
  comparison.scalar("gradient norm", actual.grad_norm, expected.grad_norm);
  comparison.tensors(actual.tensors, expected.tensors);
}

using Reference = std::function<TrainedStep(std::int64_t step)>;

Verification verify(TrainingSetup& setup, Communicator& world, const Reference& reference,
                    const VerifyOptions& options) {
  Trainer trainer(setup.recipe, setup.mesh, setup.dataset);
  Verification result;
  double numbers = 0, largest_error = 0;
  while (result.steps < options.steps && !result.first) {
    ++result.steps;
    Comparison comparison(result.steps, world.rank(), options.tolerance);
    compare_step(comparison, trained_step(trainer), reference(result.steps));
    numbers += double(comparison.numbers());
    largest_error = std::max(largest_error, comparison.largest_error());
    result.first = first_of_all(world, comparison.first());
  }
  result.numbers = static_cast<std::int64_t>(all_ranks_sum(world, numbers));
  result.largest_error = all_ranks_max(world, largest_error);
  return result;
}

}  // namespace

struct OneProcess::Parts {
  std::unique_ptr<Communicator> alone = self_world();
  TrainingSetup setup;
  Trainer trainer;

  explicit Parts(const Recipe& recipe)
      : setup(for_one_process(recipe), *alone), trainer(setup.recipe, setup.mesh, setup.dataset) {}
};

OneProcess::OneProcess(const Recipe& recipe) : parts_(std::make_unique<Parts>(recipe)) {}
OneProcess::~OneProcess() = default;

TrainedStep OneProcess::step() { return trained_step(parts_->trainer); }

Verification verify_against(const Reference& reference, const Recipe& recipe, Communicator& world,
                            const VerifyOptions& options) {
  TrainingSetup setup(recipe, world);
  return verify(setup, world, reference, options);
}

Verification verify_training(const Recipe& recipe, Communicator& world,
                             const VerifyOptions& options) {
  TrainingSetup setup(recipe, world);
  OneProcess one(setup.recipe);
  return verify(
      setup, world, [&](std::int64_t) { return one.step(); }, options);
}

}  // namespace boostr
