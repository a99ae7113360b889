#include "kernels/runtime/profiler.h"

#include "kernels/kernel_event.h"
#include "kernels/kernel_stand_in.h"

namespace boostr {
namespace {

thread_local KernelStandIn profiling;

template <auto row>
struct Profiled;

/// The row's own kernel with a note of what it was and how long it took.
template <class Result, class... Args, Result (*KernelTable::*row)(Stream&, Args...)>
struct Profiled<row> {
  static Result call(Stream& stream, Args... args) {
    const TimelineScope scope(*profiling.timeline, kernel_event<row>(args...));
    return (profiling.kernels->*row)(stream, args...);
  }
};

/// The rows listed by for_each_row, each counted once however often it stands there.
constexpr std::size_t distinct_rows() {
  KernelTable seen{};
  std::size_t count = 0;
  for_each_row([&]<auto row>(std::string_view /*name*/, KernelRow<row>) {
    if (seen.*row == nullptr) ++count;
    seen.*row = &Profiled<row>::call;
  });
  return count;
}
static_assert(sizeof(KernelTable) == sizeof(const char*) + distinct_rows() * sizeof(void (*)()),
              "a row of KernelTable is missing in for_each_row (kernels/kernel_rows.h)");

}  // namespace

KernelProfiler::KernelProfiler(Timeline& timeline, Device device) : device_(device) {
  profiling.begin<Profiled>(timeline, device);
}

KernelProfiler::~KernelProfiler() { profiling.end(device_); }

}  // namespace boostr
