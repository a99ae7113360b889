#include "parallel/pipeline/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <tuple>

namespace boostr {
namespace {

constexpr double plot_width = 1200, left = 64, right = 24, top = 64, row_height = 26, bottom = 48;

/// From the first begin to the last end of all ranks.
struct Span {
  double begin = 0, end = 0;
  double length() const { return end - begin; }
};

Span span_of(const PipelineTimeline& timeline) {
  Span span{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const std::vector<TimedPass>& passes : timeline)
    for (const TimedPass& timed : passes) {
      span.begin = std::min(span.begin, timed.begin);
      span.end = std::max(span.end, timed.end);
    }
  return span.begin < span.end ? span : Span{0, 1};
}

std::string label_in(const Pass& pass, int chunks, std::size_t columns) {
  std::string label = name(pass, chunks);
  if (label.size() > columns) label = name(pass.kind).substr(0, columns);
  label.resize(columns, '-');
  return label;
}

/// A round step that cuts `span` into 5 to 12 parts.
double round_step(double span) {
  const double power = std::pow(10.0, std::floor(std::log10(span)) - 1);
  for (const double factor : {1.0, 2.0, 5.0})
    if (span <= 12 * factor * power) return factor * power;
  return 10 * power;
}

std::string escaped(const std::string& words) {
  std::string out;
  for (const char c : words) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

std::string_view style_class(PassKind kind) {
  switch (kind) {
    case PassKind::forward:
      return "f";
    case PassKind::backward:
      return "bw";
    case PassKind::backward_input:
      return "b";
    case PassKind::backward_weight:
      return "w";
  }
  return "";
}

constexpr std::string_view style = R"(<style>
svg { background: #ffffff; font: 13px system-ui, sans-serif; } text { fill: #333333; }
.title { font-size: 16px; font-weight: 600; } .grid { stroke: #dddddd; } .idle { fill: #f1f1f1; }
.message { stroke: #8c959f; stroke-opacity: 0.6; } .f { fill: #1f6feb; } .b { fill: #d1242f; } .w { fill: #1a7f37; } .bw { fill: #8250df; }
rect { stroke: #ffffff; stroke-width: 0.5; } .number { fill: #ffffff; font-size: 10px; text-anchor: middle; }
@media (prefers-color-scheme: dark) { svg { background: #0d1117; } text { fill: #c9d1d9; }
.grid { stroke: #30363d; } .idle { fill: #161b22; } rect { stroke: #0d1117; } .number { fill: #ffffff; } }
</style>
)";

/// Time and ranks to pixels.
struct Plot {
  Span span;
  double height;
  double x(double time) const { return left + (time - span.begin) / span.length() * plot_width; }
  double y(std::size_t rank) const { return top + static_cast<double>(rank) * row_height; }
};

std::string axis(const Plot& plot) {
  const double step = round_step(plot.span.length()), low = plot.height - bottom;
  std::string out;
  for (int i = 0; i * step <= plot.span.length() * (1 + 1e-9); ++i)
    out += fmt::format(
        "<line class='grid' x1='{0:.1f}' x2='{0:.1f}' y1='{1}' y2='{2}'/>"
        "<text x='{0:.1f}' y='{3}' text-anchor='middle'>{4:.6g}</text>\n",
        plot.x(plot.span.begin + i * step), top, low, low + 18, i * step);
  return out + fmt::format("<text x='{}' y='{}' text-anchor='middle'>ms</text>\n",
                           left + plot_width / 2, plot.height - 10);
}

std::string legend() {
  double x = left;
  std::string out;
  for (const auto& [kind, words] : {std::pair{"f", "forward"},
                                    {"b", "gradient of the input"},
                                    {"w", "gradients of the weights"},
                                    {"bw", "both"},
                                    {"idle", "idle"}}) {
    out += fmt::format(
        "<rect class='{}' x='{}' y='40' width='14' height='14'/><text x='{}' y='52'>{}</text>\n",
        kind, x, x + 20, words);
    x += 190;
  }
  return out + fmt::format(
                   "<line class='message' x1='{}' y1='54' x2='{}' y2='40'/><text x='{}' "
                   "y='52'>message</text>\n",
                   x, x + 14, x + 20);
}

/// Lines between the rows of ranks that send and receive. What was never received has none.
std::string messages(const Schedule& schedule, const PipelineTimeline& timeline, const Plot& plot) {
  using Taking = std::tuple<int, int, int, bool>;  // rank, chunk, microbatch, forward
  std::map<Taking, double> begins;
  const auto is_forward = [](const Pass& pass) { return pass.kind == PassKind::forward; };
  const auto middle = [&](int rank) { return plot.y(std::size_t(rank)) + row_height / 2; };
  const auto ranks = static_cast<int>(timeline.size());
  for (int rank = 0; rank < ranks; ++rank)
    for (const auto& [pass, begin, end] : timeline[std::size_t(rank)])
      if (pass.kind != PassKind::backward_weight)
        begins[{rank, pass.chunk, pass.microbatch, is_forward(pass)}] = begin;
  std::string out;
  for (int rank = 0; rank < ranks; ++rank)
    for (const auto& [pass, begin, end] : timeline[std::size_t(rank)]) {
      const std::optional<StagePlace> to = schedule.destination(rank, pass);
      if (!to || to->rank == rank) continue;
      const auto taken = begins.find({to->rank, to->chunk, pass.microbatch, is_forward(pass)});
      if (taken == begins.end()) continue;
      out += fmt::format("<line class='message' x1='{:.2f}' y1='{}' x2='{:.2f}' y2='{}'/>\n",
                         plot.x(end), middle(rank), plot.x(taken->second), middle(to->rank));
    }
  return out;
}

std::string drawn(const TimedPass& timed, std::size_t rank, const Plot& plot, int chunks) {
  const double x = plot.x(timed.begin), width = plot.x(timed.end) - x;
  const double paler = 1 - 0.3 * timed.pass.chunk / std::max(chunks - 1, 1);
  const std::string number = fmt::format("{}", timed.pass.microbatch);
  std::string out = fmt::format(
      "<rect class='{}' x='{:.2f}' y='{}' width='{:.2f}' height='{}'{}><title>{}: {:.6g} to {:.6g} "
      "ms</title></rect>",
      style_class(timed.pass.kind), x, plot.y(rank) + 2, width, row_height - 4,
      timed.pass.chunk > 0 ? fmt::format(" fill-opacity='{:.2f}'", paler) : "",
      name(timed.pass, chunks), timed.begin, timed.end);
  if (width >= 6.5 * static_cast<double>(number.size()))
    out += fmt::format("<text class='number' x='{:.2f}' y='{}'>{}</text>", x + width / 2,
                       plot.y(rank) + row_height / 2 + 4, number);
  return out + "\n";
}

}  // namespace

std::string timeline_text(const PipelineTimeline& timeline, int columns, int chunks) {
  const Span span = span_of(timeline);
  const auto column = [&](double time) {
    return static_cast<std::size_t>(std::lround((time - span.begin) / span.length() * columns));
  };
  const std::size_t digits = std::to_string(timeline.size() - 1).size();
  std::string out;
  for (std::size_t rank = 0; rank < timeline.size(); ++rank) {
    std::string row(static_cast<std::size_t>(columns), '.');
    for (const auto& [pass, begin, end] : timeline[rank]) {
      const std::size_t from = column(begin), wide = column(end) - from;
      row.replace(from, wide, label_in(pass, chunks, wide));
    }
    out += fmt::format("{:>{}} {}\n", rank, digits, row);
  }
  return out;
}

std::string timeline_svg(const Schedule& schedule, const PipelineTimeline& timeline,
                         const std::string& title) {
  const double height = top + static_cast<double>(timeline.size()) * row_height + bottom;
  const double width = left + plot_width + right;
  const Plot plot{span_of(timeline), height};
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}'>\n",
      width, height);
  svg += style;
  svg += fmt::format("<text class='title' x='{}' y='26'>{}</text>\n", left, escaped(title));
  svg += legend();
  for (std::size_t rank = 0; rank < timeline.size(); ++rank)
    svg += fmt::format(
        "<rect class='idle' x='{}' y='{}' width='{}' height='{}'/>"
        "<text x='{}' y='{}' text-anchor='end'>{}</text>\n",
        left, plot.y(rank) + 2, plot_width, row_height - 4, left - 10,
        plot.y(rank) + row_height / 2 + 4, rank);
  svg += axis(plot);
  for (std::size_t rank = 0; rank < timeline.size(); ++rank)
    for (const TimedPass& timed : timeline[rank])
      svg += drawn(timed, rank, plot, schedule.shape.chunks);
  svg += messages(schedule, timeline, plot);
  return svg + "</svg>\n";
}

}  // namespace boostr
