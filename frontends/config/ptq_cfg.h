// Reads the simplified configuration (.cfg) of post-training quantisation: of the PyTorch flavour
// (the reference's 2.2 and 2.7) and of the ONNX flavour (section 1.5 of its reference), whose
// fields may stand together.
#pragma once

#include <string_view>

#include "lathe/quant/config/amct_config.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Floats become the doubles of their shortest float32 decimals: `search_step: 0.02` is 0.02.
// Errors: text that is not an AMCTConfig (line, column, field), integers that do not fit, and
// fields that are known but cannot be followed (line, column, field, reason).
// Values out of range are CreatePtqConfig's to refuse.
StatusOr<quant::AmctConfig> ParsePtqCfg(std::string_view text);

}  // namespace lathe::frontends
