#pragma once

#include <cstdint>
#include <vector>

namespace boostr {

/// Consecutive links of a model's chain: embed, layers, head. What a virtual stage of a pipeline
/// holds.
struct ModelPart {
  bool embeds = true;  ///< begins with the embedding
  std::int64_t first_layer = 0;
  std::int64_t end_layer = 0;  ///< one past its last layer
  bool ends = true;            ///< ends with the head and the loss
  std::int64_t num_layers() const { return end_layer - first_layer; }
  friend bool operator==(const ModelPart&, const ModelPart&) = default;
};

/// What the links of a chain cost, in any one unit.
struct ChainCosts {
  double embed = 0;
  double layer = 1;
  double head = 0;
};

/// The chain of `num_layers` layers in `count` parts, in order, none empty: the dearest part is as
/// cheap as it can be, and among such cuts the parts are as equal as they can be (least sum of
/// squares; the earlier parts the smaller ones). Error(usage) where there are fewer links than parts.
std::vector<ModelPart> cut_chain(std::int64_t num_layers, int count, const ChainCosts& costs);

}  // namespace boostr
