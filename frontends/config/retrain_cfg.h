// Reads the simplified configuration (.cfg) of quantisation-aware training (the reference's 2.3 and
// 2.7).
#pragma once

#include <string_view>

#include "lathe/quant/config/amct_retrain_config.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Floats become the doubles of their shortest float32 decimals. Errors: text that is not an
// AMCTRetrainConfig (line, column, field), and fields for pruning (line, column, field, reason).
// Values out of range are CreateRetrainConfig's to refuse.
StatusOr<quant::AmctRetrainConfig> ParseRetrainCfg(std::string_view text);

}  // namespace lathe::frontends
