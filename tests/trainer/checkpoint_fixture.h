#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "kernels/runtime/dtype.h"
#include "kernels/runtime/error.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/tensor_region.h"

namespace boostr::test {

namespace fs = std::filesystem;

/// A folder of this test's own, removed with all it holds; in memory where the system has such a
/// place, as syncs are slow.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const fs::path memory = "/dev/shm";
    const fs::path parent =
        ::access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
    std::string name = (parent / "boostr-checkpoint-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(text("cannot make ", name));
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_text(const fs::path& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

/// The files and folders in a folder, sorted.
inline std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// A whole tensor of the tests' model.
struct TensorSpec {
  std::string group;
  std::string name;
  Shape shape;
  DType dtype = DType::f32;
};

inline std::vector<TensorSpec> small_model() {
  std::vector<TensorSpec> model;
  for (const char* group : {"parameters", "optimizer/exp_avg", "optimizer/exp_avg_sq"}) {
    model.push_back({group, "model.embed_tokens.weight", {53, 16}});
    model.push_back({group, "model.layers.0.self_attn.q_proj.weight", {16, 16}});
    model.push_back({group, "model.layers.0.mlp.up_proj.weight", {700, 16}});
    model.push_back({group, "model.norm.weight", {16}});
  }
  return model;
}

/// The index in the flattened tensor of the region's element `i`.
inline std::int64_t flat_index(const TensorRegion& region, std::int64_t i) {
  if (region.is_slice()) return region.offset[0] + i;
  std::int64_t flat = 0, stride = 1;
  for (int dim = region.shape.num_dims() - 1; dim >= 0; --dim) {
    flat += (i % region.shape[dim] + region.offset[static_cast<std::size_t>(dim)]) * stride;
    i /= region.shape[dim];
    stride *= region.global_shape[dim];
  }
  return flat;
}

/// The values of a tensor's elements: differ between tensors, elements and rounds; exact in every
/// dtype.
class Values {
 public:
  Values(const CheckpointTensor& tensor, int round) : start_(round * 7) {
    for (const char c : tensor.group + tensor.name) start_ = (start_ * 31 + c) % 127;
  }
  int operator()(std::int64_t flat) const { return static_cast<int>((flat * 13 + start_) % 127); }

 private:
  int start_;
};

/// Regions of tensors with memory of their own.
class Held {
 public:
  void add(const TensorSpec& spec, std::vector<std::int64_t> offset, const Shape& shape) {
    memory_.emplace_back(static_cast<std::size_t>(shape.numel()) * size_of(spec.dtype) + 1);
    tensors_.push_back({spec.group,
                        spec.name,
                        spec.shape,
                        std::move(offset),
                        {memory_.back().data(), spec.dtype, shape}});
  }
  void add_whole(const TensorSpec& spec) {
    add(spec, std::vector<std::int64_t>(static_cast<std::size_t>(spec.shape.num_dims()), 0),
        spec.shape);
  }
  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }

  void fill(int round) {
    for (const CheckpointTensor& tensor : tensors_)
      visit(
          tensor, [&](auto& element, int value) { element = from(element, value); }, round);
  }
  /// How many elements do not have the values of `round`.
  int wrong(int round) const {
    int count = 0;
    for (const CheckpointTensor& tensor : tensors_) {
      visit(
          tensor, [&](auto& element, int value) { count += !same(element, value); }, round);
    }
    return count;
  }

 private:
  template <class T>
  static T from(T, int value) {
    return T(static_cast<float>(value));
  }
  template <class T>
  static bool same(T element, int value) {
    return static_cast<float>(element) == static_cast<float>(value);
  }
  template <class F>
  static void visit(const CheckpointTensor& tensor, F&& f, int round) {
    const Values value(tensor, round);
    dispatch_any(tensor.local.dtype, [&]<class T>() {
      const TensorRegion region = tensor.region();
      for (std::int64_t i = 0; i < region.shape.numel(); ++i) {
        f(tensor.local.as<T>()[i], value(flat_index(region, i)));
      }
    });
  }

  std::vector<std::vector<std::byte>> memory_;
  std::vector<CheckpointTensor> tensors_;
};

inline Held whole(const std::vector<TensorSpec>& specs) {
  Held held;
  for (const TensorSpec& spec : specs) held.add_whole(spec);
  return held;
}

inline TrainingState state_at(std::int64_t step) {
  return {.step = step,
          .loss_scale = 1024.5,
          .loss_scale_finite_steps = 17,
          .seed = 18446744073709551615u,
          .data_cursor = R"({"sample":9007199254740993})",
          .mesh = R"({"dp":2})",
          .extra = R"({"exp_avg_steps":3})",
          .recipe = "training:\n  steps: 200\n"};
}

/// The message of the Error that `attempt` throws, or "".
template <class F>
std::string message_of(F&& attempt) {
  try {
    attempt();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace boostr::test
