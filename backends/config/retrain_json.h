// Writes the JSON configuration of quantisation-aware training (the reference's 2.3).
#pragma once

#include <string>

#include "lathe/quant/config/retrain_config.h"
#include "lathe/support/status.h"

namespace lathe::backends {

// Byte for byte as the reference writes it: as WritePtqJson, but layers stay in their order.
// Errors: a number that is not finite, a layer named like a global key or like another layer, a
// name that is not UTF-8.
StatusOr<std::string> WriteRetrainJson(const quant::RetrainConfig& config);

}  // namespace lathe::backends
