// Reads the JSON configuration of post-training quantisation (the reference's 2.1).
#pragma once

#include <string_view>

#include "lathe/quant/config/ptq_config.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Missing keys take their defaults, but a layer without quant_enable is disabled; layers keep the
// order of the text. Errors beyond those of ParseJson: unknown keys (with near ones), values of
// another type or out of range, keys of another algorithm than the layer's, a layer without
// activation_quant_params. Whether the layers exist and can do what they are told is
// ResolveQuantSettings's question.
StatusOr<quant::PtqConfig> ParsePtqJson(std::string_view text);

}  // namespace lathe::frontends
