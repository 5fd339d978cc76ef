// Ctrl-C stops the work at the next good place instead of in the middle of it.
#pragma once

#include "lathe/support/status.h"

namespace lathe::tools {

// From now on the first SIGINT only sets a flag; a second one ends the process at once.
void CatchInterrupts();

// Whether SIGINT came. Flows are given this as their std::function<bool()>.
bool Interrupted();

// An error when SIGINT came: what commands without a flow ask between their steps and before their
// files are put in place.
Status StopIfInterrupted();

}  // namespace lathe::tools
