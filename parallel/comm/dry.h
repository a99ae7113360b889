#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "parallel/comm/call.h"
#include "parallel/comm/communicator.h"

namespace boostr {

/// One rank's place in a group of the world.
struct GroupPlace {
  int rank = 0;
  int size = 1;
  int stride = 1;  ///< ranks of the world from one member to the next
};

/// An operation that a rank of a dry world asked for.
struct WireCall {
  CallKind kind = CallKind::barrier;
  std::string group;
  GroupPlace place;
  double bytes = 0;  ///< of the longer buffer: the whole of what is gathered, scattered or reduced
  /// What this rank sends, where nobody sends more than it must.
  double sent_bytes() const;
};

/// A world whose other ranks are not there: what one rank asks of them is noted and nothing moves,
/// so that buffers keep what they hold. Groups of more than one rank count the memory that ranks of
/// one host meet in.
struct DryWorld {
  GroupPlace world;
  std::map<std::string, GroupPlace> groups;  ///< by the names that they are split under
  std::vector<WireCall> calls;               ///< in groups of more than one rank
};

/// `world` outlives the communicator and those split from it. split() gives the group of that name,
/// whatever the color; an Error if the world has none.
std::unique_ptr<Communicator> dry_communicator(DryWorld& world);

}  // namespace boostr
