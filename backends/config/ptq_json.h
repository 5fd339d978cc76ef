// Writes the JSON configuration of post-training quantisation (the reference's 2.1).
#pragma once

#include <string>

#include "lathe/quant/config/ptq_config.h"
#include "lathe/support/status.h"

namespace lathe::backends {

// Byte for byte as the reference writes it: four spaces, "," and ":" without space, global keys
// first, then layers sorted by name, no newline at the end. Characters beyond ASCII are escaped.
// Errors: a number that is not finite, a layer named like a global key or like another layer, a
// name that is not UTF-8.
StatusOr<std::string> WritePtqJson(const quant::PtqConfig& config);

}  // namespace lathe::backends
