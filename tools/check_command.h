// A command of the user that says whether a model is good, as 'git bisect run' has it.
#pragma once

#include <string>

#include "lathe/support/status.h"

namespace lathe::tools {

// Runs the shell command with the file as its last argument; what it prints goes to standard error.
// True for exit status 0, false for any other and for the end by a signal. Errors: it cannot be
// run (exit status 126 and 127 of the shell); the user interrupts.
StatusOr<bool> CheckHolds(const std::string& command, const std::string& file);

}  // namespace lathe::tools
