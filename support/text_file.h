#pragma once

#include <string>

#include "lathe/support/status.h"

namespace lathe {

// The whole file. Errors carry the file: it is missing or cannot be read.
StatusOr<std::string> ReadTextFile(const std::string& path);

}  // namespace lathe
