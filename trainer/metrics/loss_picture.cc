#include "trainer/metrics/loss_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace boostr {
namespace {

constexpr double width = 760, height = 440, left = 64, right = 24, top = 48, bottom = 56;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// A step of 1, 2 or 5 times a power of ten that cuts `span` into about `parts`.
double round_step(double span, int parts) {
  const double rough = span / parts;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) return factor * power;
  return 10 * power;
}

/// Data coordinates to pixels, with axes that end at round numbers.
struct Plot {
  Range x, y;
  double x_step = 1, y_step = 1;

  void round_axes() {
    if (x.low > x.high) x = {0, 1};
    if (y.low > y.high) y = {0, 1};
    if (y.high - y.low < 1e-9) y = {y.low - 0.5, y.high + 0.5};
    x.low = 0;
    x.high = std::max(x.high, 1.0);
    x_step = std::max(1.0, round_step(x.high, 8));
    y_step = round_step(y.high - y.low, 6);
    y.low = std::floor(y.low / y_step) * y_step;
    y.high = std::ceil(y.high / y_step) * y_step;
  }
  double px(double value) const {
    return left + (value - x.low) / (x.high - x.low) * (width - left - right);
  }
  double py(double value) const {
    return height - bottom - (value - y.low) / (y.high - y.low) * (height - top - bottom);
  }
};

std::string escaped(const std::string& words) {
  std::string out;
  for (const char c : words) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

std::string axes(const Plot& plot) {
  std::string out;
  for (int i = 0; plot.y.low + i * plot.y_step <= plot.y.high + 1e-9; ++i) {
    const double value = plot.y.low + i * plot.y_step;
    out += fmt::format(
        "<line class='grid' x1='{0:.1f}' x2='{1:.1f}' y1='{2:.1f}' y2='{2:.1f}'/>"
        "<text x='{3:.1f}' y='{4:.1f}' text-anchor='end'>{5:.6g}</text>\n",
        left, width - right, plot.py(value), left - 8, plot.py(value) + 4, value);
  }
  for (int i = 0; plot.x.low + i * plot.x_step <= plot.x.high + 1e-9; ++i) {
    const double value = plot.x.low + i * plot.x_step;
    out += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>{:.6g}</text>\n",
                       plot.px(value), height - bottom + 20, value);
  }
  out += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>step</text>\n",
                     (left + width - right) / 2, height - 14);
  out += fmt::format(
      "<text transform='translate(16 {:.1f}) rotate(-90)' text-anchor='middle'>loss (nats per "
      "token)</text>\n",
      (top + height - bottom) / 2);
  return out;
}

/// The losses of single batches, which differ by their text, and through them their exponential moving average,
/// corrected for its start (as Adam's moments are).
std::string training_lines(const Plot& plot, const MetricsHistory& history) {
  constexpr double keep = 0.6;
  std::string single, smooth;
  double sum = 0, weight = 0;
  for (const MetricsRow& row : history.rows) {
    if (!std::isfinite(row.loss)) continue;
    sum = keep * sum + (1 - keep) * row.loss;
    weight = keep * weight + (1 - keep);
    const double x = plot.px(double(row.step));
    single += fmt::format("{:.1f},{:.1f} ", x, plot.py(row.loss));
    smooth += fmt::format("{:.1f},{:.1f} ", x, plot.py(sum / weight));
  }
  return fmt::format(
      "<polyline class='train single' points='{}'/>\n<polyline class='train' points='{}'/>\n",
      single, smooth);
}

std::string validation_dots(const Plot& plot, const MetricsHistory& history) {
  std::string out;
  for (const ValidationRow& row : history.validations)
    if (std::isfinite(row.loss))
      out += fmt::format(
          "<circle class='validation' cx='{:.1f}' cy='{:.1f}' r='4'><title>step {}: "
          "{:.4f}</title></circle>\n",
          plot.px(double(row.step)), plot.py(row.loss), row.step, row.loss);
  return out;
}

/// The lines of the legend, on a ground of their own: what is below must not run through the words.
std::string legend(const MetricsHistory& history, std::optional<double> entropy) {
  constexpr double row = 20, box = 212;
  const double x = width - right - box + 10;
  double y = top + 18;
  std::string out;
  const auto add = [&](const std::string& sign, const std::string& words) {
    out +=
        fmt::format("<g transform='translate({:.1f} {:.1f})'>{}<text x='30' y='4'>{}</text></g>\n",
                    x, y, sign, words);
    y += row;
  };
  add("<line class='train' x2='22'/>", "training, moving average");
  add("<line class='train single' x2='22'/>", "training, one batch");
  if (!history.validations.empty()) add("<circle class='validation' cx='11' r='4'/>", "validation");
  if (entropy)
    add("<line class='entropy' x2='22'/>", fmt::format("unigram entropy {:.2f}", *entropy));
  return fmt::format(
             "<rect class='ground' x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}'/>\n",
             x - 10, top + 4, box, y - top - row / 2) +
         out;
}

constexpr const char* style = R"(<style>
svg { background: #ffffff; font: 13px system-ui, sans-serif; } text { fill: #333333; }
.title { font-size: 16px; font-weight: 600; } .grid { stroke: #dddddd; }
.train { fill: none; stroke: #1f6feb; stroke-width: 2.5; stroke-linejoin: round; }
.single { stroke-width: 1; stroke-opacity: 0.45; } .validation { fill: #d1242f; }
.ground { fill: #ffffff; } .entropy { stroke: #8250df; stroke-width: 1.5; stroke-dasharray: 6 4; }
@media (prefers-color-scheme: dark) { svg { background: #0d1117; } .ground { fill: #0d1117; } text { fill: #c9d1d9; } .grid { stroke: #30363d; } }
</style>
)";

}  // namespace

std::string loss_svg(const MetricsHistory& history, const std::string& title,
                     std::optional<double> unigram_entropy) {
  Plot plot;
  for (const MetricsRow& row : history.rows) {
    plot.x.include(static_cast<double>(row.step));
    plot.y.include(row.loss);
  }
  for (const ValidationRow& row : history.validations) plot.y.include(row.loss);
  if (unigram_entropy) plot.y.include(*unigram_entropy);
  plot.round_axes();
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}'>\n",
      width, height);
  svg += style;
  svg += fmt::format("<text class='title' x='{}' y='28'>{}</text>\n", left, escaped(title));
  svg += axes(plot);
  if (unigram_entropy)
    svg +=
        fmt::format("<line class='entropy' x1='{0:.1f}' x2='{1:.1f}' y1='{2:.1f}' y2='{2:.1f}'/>\n",
                    left, width - right, plot.py(*unigram_entropy));
  svg += training_lines(plot, history) + validation_dots(plot, history) +
         legend(history, unigram_entropy);
  return svg + "</svg>\n";
}

}  // namespace boostr
