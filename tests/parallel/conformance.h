#pragma once

#include <ostream>
#include <span>

#include "parallel/comm/communicator.h"

namespace boostr::testing {

/// One behaviour that every communicator must have, checked by all of its ranks together. Failures
/// are gtest expectations.
struct ConformanceCheck {
  const char* name;
  void (*run)(Communicator& world);
};

inline void PrintTo(const ConformanceCheck& check, std::ostream* out) { *out << check.name; }

/// The checks that leave the world usable.
std::span<const ConformanceCheck> conformance_checks();

}  // namespace boostr::testing
