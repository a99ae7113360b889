#include "trainer/metrics/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace boostr {

namespace {

/// Of standard output; many where it has no width.
std::size_t terminal_columns() {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 1000;
}

}  // namespace

std::string grouped(std::int64_t value) {
  std::string digits = fmt::format("{}", std::abs(value));
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  return value < 0 ? "-" + digits : digits;
}

std::string counted(std::int64_t count, const std::string& thing) {
  return fmt::format("{} {}{}", grouped(count), thing, count == 1 ? "" : "s");
}

std::string clock_time(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const auto total = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

std::string binary_size(double bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit) bytes /= 1024;
  return bytes < 10 && unit > 2 ? fmt::format("{:.2f} {}", bytes, units[unit])
                                : fmt::format("{:.0f} {}", bytes, units[unit]);
}

void Console::say(const std::string& line) {
  if (!enabled_) return;
  clear_bar();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Console::step(const MetricsRow& row, double eta_seconds) {
  const bool several = row.rank_seconds.size() > 1;
  const std::string waits =
      several ? fmt::format(" | bubble {:.0f} % | comm {:.0f} %", 100 * row.bubble_rate,
                            100 * row.exposed_communication)
              : "";
  say(
      fmt::format("step {}/{} | loss {:.4f} | grad_norm {:.3f} | lr {:.2e} | {} tok/s | MFU {:.1f} "
                  "%{} | {} | ETA {}",
                  row.step, total_steps_, row.loss, row.grad_norm, row.lr,
                  grouped(std::llround(row.tokens_per_second)), 100 * row.mfu, waits,
                  binary_size(static_cast<double>(row.memory_bytes)), clock_time(eta_seconds)));
}

void Console::advance(std::int64_t step, double loss, double eta_seconds) {
  if (!live_bar_) return;
  constexpr int cells = 30;
  const auto filled = static_cast<int>(cells * step / std::max<std::int64_t>(total_steps_, 1));
  const std::string bar(static_cast<std::size_t>(filled), '#');
  std::string line = fmt::format("[{:<30}] {}/{} loss {:.4f} ETA {}", bar, step, total_steps_, loss,
                                 clock_time(eta_seconds));
  line.resize(std::min(line.size(), terminal_columns() - 1));  // a bar that wraps cannot be erased
  fmt::print("\r\x1b[2K{}", line);
  std::fflush(stdout);
  bar_drawn_ = true;
}

void Console::finish() { clear_bar(); }

void Console::clear_bar() {
  if (!bar_drawn_) return;
  fmt::print("\r\x1b[2K");
  std::fflush(stdout);
  bar_drawn_ = false;
}

}  // namespace boostr
