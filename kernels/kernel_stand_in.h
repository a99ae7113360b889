#pragma once

#include <string_view>

#include "kernels/kernel_rows.h"
#include "kernels/registry.h"
#include "kernels/runtime/error.h"
#include "kernels/runtime/timeline.h"

namespace boostr {

/// A table whose rows stand before the kernels of one thread and note their calls in a timeline. A
/// row is a bare function that must find both by itself, so each kind of row has one of these,
/// thread_local.
struct KernelStandIn {
  const KernelTable* kernels = nullptr;  ///< behind the rows
  Timeline* timeline = nullptr;          ///< null: the kernels are called as ever
  KernelTable table{};                   ///< what kernels() returns meanwhile

  /// From now on Row<row>::call stands before every row that the kernels of `device` have.
  template <template <auto> class Row>
  void begin(Timeline& notes, Device device) {
    expect(timeline == nullptr, "the kernels of this thread have such a stand-in already");
    kernels = &boostr::kernels(device);
    timeline = &notes;
    table = KernelTable{};
    table.level = kernels->level;
    for_each_row([this]<auto row>(std::string_view /*name*/, KernelRow<row>) {
      if (kernels->*row != nullptr) table.*row = &Row<row>::call;
    });
    set_kernels(table, device);
  }
  void end(Device device) {
    set_kernels(*kernels, device);
    timeline = nullptr;
  }
};

}  // namespace boostr
