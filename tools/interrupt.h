// Ctrl-C, or a request to end, stops the work at the next good place and not in the middle of it.
#pragma once

#include "lathe/support/status.h"

namespace lathe::tools {

// From now on the first SIGINT or SIGTERM only sets a flag; a second one ends the process at once.
void CatchInterrupts();

// Whether one came. Flows are given this as their std::function<bool()>.
bool Interrupted();

// An error when one came: what commands without a flow ask between their steps and before their
// files are put in place.
Status StopIfInterrupted();

}  // namespace lathe::tools
