#include "tests/models/fixture.h"

#include <hdf5.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/runtime/error.h"

namespace boostr::testing {
namespace {

using Json = nlohmann::json;

/// An HDF5 identifier, closed by its own function.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
    expect(id >= 0, "cannot open ", what);
  }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  ~Id() { close_(id_); }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

Tensor read_tensor(hid_t parent, const std::string& name, DType dtype) {
  const Id dataset(H5Dopen2(parent, name.c_str(), H5P_DEFAULT), H5Dclose, name);
  const Id space(H5Dget_space(dataset), H5Sclose, name);
  std::vector<hsize_t> sizes(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  if (!sizes.empty()) H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  const std::vector<std::int64_t> dims(sizes.begin(), sizes.end());
  const Tensor tensor = Tensor::empty(Shape(std::span<const std::int64_t>(dims)), dtype);
  const hid_t type = dtype == DType::f64 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT32;
  expect(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.out().data) >= 0,
         "cannot read ", name);
  return tensor;
}

std::map<std::string, Tensor> read_group(hid_t file, const std::string& name) {
  const Id group(H5Gopen2(file, name.c_str(), H5P_DEFAULT), H5Gclose, name);
  H5G_info_t info;
  H5Gget_info(group, &info);
  std::map<std::string, Tensor> tensors;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    char link[512];
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, link, sizeof link, H5P_DEFAULT);
    tensors[link] = read_tensor(group, link, DType::f64);
  }
  return tensors;
}

Json read_json_attribute(hid_t file, const char* name) {
  const Id attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose, name);
  const Id type(H5Aget_type(attribute), H5Tclose, name);
  char* words = nullptr;  // h5py writes strings of variable length
  expect(H5Aread(attribute, type, &words) >= 0, "cannot read attribute ", name);
  const Json json = Json::parse(words);
  H5free_memory(words);
  return json;
}

std::vector<double> doubles(const Tensor& tensor) {
  const auto values = tensor.values<double>();
  return {values.begin(), values.end()};
}

RopeScaling scaling_of(const Json& json) {
  RopeScaling scaling;
  scaling.rope_type = json.at("rope_type");
  scaling.factor = json.at("factor");
  scaling.low_freq_factor = json.value("low_freq_factor", scaling.low_freq_factor);
  scaling.high_freq_factor = json.value("high_freq_factor", scaling.high_freq_factor);
  scaling.original_max_position_embeddings =
      json.value("original_max_position_embeddings", scaling.original_max_position_embeddings);
  scaling.beta_fast = json.value("beta_fast", scaling.beta_fast);
  scaling.beta_slow = json.value("beta_slow", scaling.beta_slow);
  scaling.attention_factor = json.value("attention_factor", scaling.attention_factor);
  return scaling;
}

LlamaConfig config_of(const Json& json) {
  LlamaConfig config;
  config.vocab_size = json.at("vocab_size");
  config.hidden_size = json.at("hidden_size");
  config.num_hidden_layers = json.at("num_hidden_layers");
  config.num_attention_heads = json.at("num_attention_heads");
  config.num_key_value_heads = json.at("num_key_value_heads");
  config.head_dim = json.at("head_dim");
  config.intermediate_size = json.at("intermediate_size");
  config.hidden_act = json.value("hidden_act", config.hidden_act);
  config.rms_norm_eps = json.at("rms_norm_eps");
  config.rope_theta = json.at("rope_theta");
  config.tie_word_embeddings = json.at("tie_word_embeddings");
  config.attention_bias = json.value("attention_bias", false);
  config.attention_out_bias = json.value("attention_out_bias", true);
  config.mlp_bias = json.value("mlp_bias", false);
  config.qk_norm = json.value("qk_norm", false);
  config.sliding_window = json.value("sliding_window", std::int64_t{0});
  if (json.contains("rope_scaling")) config.rope_scaling = scaling_of(json["rope_scaling"]);
  return config;
}

}  // namespace

Fixture read_fixture(const std::string& path) {
  const Id file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, path);
  Fixture fixture;
  fixture.config = config_of(read_json_attribute(file, "config"));
  fixture.input_ids = read_tensor(file, "input_ids", DType::i32);
  fixture.targets = read_tensor(file, "targets", DType::i32);
  fixture.logits = read_tensor(file, "logits", DType::f64);
  fixture.loss = read_tensor(file, "loss", DType::f64).item();
  fixture.parameters = read_group(file, "parameters");
  fixture.gradients = read_group(file, "gradients");
  fixture.updated = read_group(file, "updated");
  fixture.losses = doubles(read_tensor(file, "losses", DType::f64));
  fixture.grad_norms = doubles(read_tensor(file, "grad_norms", DType::f64));
  const Json optimizer = read_json_attribute(file, "optimizer");
  fixture.lr = optimizer.at("lr");
  fixture.beta1 = optimizer.at("beta1");
  fixture.beta2 = optimizer.at("beta2");
  fixture.eps = optimizer.at("eps");
  fixture.weight_decay = optimizer.at("weight_decay");
  fixture.max_norm = optimizer.at("max_norm");
  return fixture;
}

std::vector<std::string> fixture_paths() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(BOOSTR_FIXTURES))
    if (entry.path().extension() == ".h5") paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  return paths;
}

}  // namespace boostr::testing
