#include "ops/execution.h"

namespace boostr {

std::string instruction_set(Device device) { return kernels(device).level; }

int num_threads(Device device) { return current_stream(device).num_threads(); }

}  // namespace boostr
