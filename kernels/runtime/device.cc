#include "kernels/runtime/device.h"

#include <ostream>

namespace boostr {

std::ostream& operator<<(std::ostream& out, Device device) { return out << "cpu:" << device.index; }

}  // namespace boostr
