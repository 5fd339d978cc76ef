// How far a rule set looks around a node: what a driver must look at again after an edit.
#pragma once

#include <cstdint>

namespace lathe::passes {

struct PatternReach {
  // How many users down a root can be from a node that its pattern looks at.
  int users = 0;
  // The most uses of one inner value that a match can hold.
  uint32_t inner_uses = 1;
  // Patterns look at other readers of a value (AlsoUser).
  bool siblings = false;
  // Patterns look into the bodies of a node (Body).
  bool bodies = false;
};

}  // namespace lathe::passes
