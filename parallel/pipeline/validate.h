#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "parallel/pipeline/schedule.h"

namespace boostr {

/// When a rank may go on after a pass that sends.
enum class Sends : std::uint8_t {
  eager,  ///< always: whoever sends keeps the message until it is wanted
  /// A message leaves when its receiver comes to the pass that wants it, and of the messages of one
  /// direction (activations or gradients) from a rank to another only most_waiting_messages may
  /// wait: the next pass that makes one begins when the oldest has left.
  rendezvous
};

/// So many that one is filled while another is on its way.
constexpr int most_waiting_messages = 2;

/// What is wrong with a schedule, and where.
struct ScheduleFault {
  std::size_t rank = 0;
  std::size_t position = 0;  ///< of the pass among the rank's; their number where one is missing
  std::string message;
};

/// The first reason not to run the schedule: passes beyond its shape, missing or doubled, halves
/// out of order, ranks that would wait for each other forever. Passes of a rank are checked first,
/// then that no way of sending deadlocks.
std::optional<ScheduleFault> find_fault(const Schedule& schedule);

/// Only the last of these, for a schedule whose ranks have every pass once.
std::optional<ScheduleFault> find_deadlock(const Schedule& schedule, Sends sends);

/// Error(usage) with the rank and the pass if there is a fault.
void validate(const Schedule& schedule);

}  // namespace boostr
