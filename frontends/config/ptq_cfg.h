// Reads the simplified configuration (.cfg) of post-training quantisation (the reference's 2.2
// and 2.7).
#pragma once

#include <string_view>

#include "lathe/quant/config/amct_config.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Floats become the doubles of their shortest float32 decimals: `search_step: 0.02` is 0.02.
// Errors: text that is not an AMCTConfig (line, column, field), and integers that do not fit.
// Values out of range are CreatePtqConfig's to refuse.
StatusOr<quant::AmctConfig> ParsePtqCfg(std::string_view text);

}  // namespace lathe::frontends
