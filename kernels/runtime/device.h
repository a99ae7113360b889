#pragma once

#include <cstdint>
#include <iosfwd>

namespace boostr {

/// A backend's kind.
enum class DeviceType : std::uint8_t { cpu };

/// Where bytes live and kernels run.
struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;
  friend bool operator==(const Device&, const Device&) = default;
};

inline constexpr Device cpu_device{};

/// Prints "cpu:0".
std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace boostr
