// Reads the simplified configuration (.cfg) of KV-cache calibration (the reference's 2.7, message
// AMCTQuantCaliConfig).
#pragma once

#include <string_view>

#include "lathe/quant/config/kv_config.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// The layers are those of quant_layers, in that order; one with an override takes it as a whole.
// Errors: text that is not an AMCTQuantCaliConfig (line, column, field); an override for a layer
// that is not among quant_layers, or two for one; what CheckKvConfig finds.
StatusOr<quant::KvConfig> ParseKvCfg(std::string_view text);

}  // namespace lathe::frontends
