// A command that measures a model.
#pragma once

#include <string>

#include "lathe/support/status.h"

namespace lathe::tools {

// Runs `command DEPLOY FAKE_QUANT` through /bin/sh and reads the number that stands alone on the
// last line of its standard output that is not empty. An interruption ends the command and all it
// started. Errors: it cannot be run, fails, or prints no finite number there.
StatusOr<double> EvaluateByCommand(const std::string& command, const std::string& deploy,
                                   const std::string& fake_quant);

// That number of an output; nothing when there is none.
StatusOr<double> LastNumber(std::string_view output);

}  // namespace lathe::tools
