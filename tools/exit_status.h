// What the driver answers to its caller: 0 done, 1 the model or data is wrong, 2 usage.
#pragma once

#include "lathe/support/status.h"

namespace lathe::tools {

// Marks an error as one of usage: the command line is wrong, whatever the files hold.
Status UsageError(Status status);

int ExitStatus(const Status& status);

}  // namespace lathe::tools
