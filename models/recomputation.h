#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace boostr {

/// What the backward computes again instead of keeping it.
enum class ActivationCheckpoint : std::uint8_t {
  none,
  selective,  ///< what is cheap: the outputs of norms and activations
  full,       ///< whole layers from their inputs
};

/// "none", "selective", "full"; Error(usage) for another name.
ActivationCheckpoint activation_checkpoint_named(const std::string& name);

/// Which of `num_layers` layers a list names: "all", or numbers from 0 and ranges, "0-3,8".
/// Error(usage) for anything else and for layers that do not exist.
std::vector<bool> layers_listed(std::string_view list, std::int64_t num_layers);

/// What is computed again, layer by layer.
class Recomputation {
 public:
  /// The same in all layers.
  Recomputation(ActivationCheckpoint mode = ActivationCheckpoint::none)  // NOLINT: they convert
      : mode_(mode) {}
  /// `mode` where `layers` says so, elsewhere nothing.
  Recomputation(ActivationCheckpoint mode, std::vector<bool> layers)
      : mode_(mode), layers_(std::move(layers)) {}

  ActivationCheckpoint of_layer(std::int64_t index) const {
    const bool listed = layers_.empty() || layers_[static_cast<std::size_t>(index)];
    return listed ? mode_ : ActivationCheckpoint::none;
  }

 private:
  ActivationCheckpoint mode_;
  std::vector<bool> layers_;  ///< empty: all
};

}  // namespace boostr
