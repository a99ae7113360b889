#pragma once

#include <optional>
#include <string>

#include "trainer/metrics/metrics_log.h"

namespace boostr {

/// The loss curve as a self-contained SVG: training loss, validation losses as dots, the unigram
/// entropy of the data as a dashed line if given, axes with round ticks, a title. Readable on light
/// and dark pages.
std::string loss_svg(const MetricsHistory& history, const std::string& title,
                     std::optional<double> unigram_entropy = std::nullopt);

}  // namespace boostr
