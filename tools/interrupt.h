// Ctrl-C stops the work at the next good place instead of in the middle of it.
#pragma once

namespace lathe::tools {

// From now on the first SIGINT only sets a flag; a second one ends the process at once.
void CatchInterrupts();

// Whether SIGINT came. Flows are given this as their std::function<bool()>.
bool Interrupted();

}  // namespace lathe::tools
