// Reads the JSON configuration of quantisation-aware training (the reference's 2.3).
#pragma once

#include <string_view>

#include "lathe/quant/config/retrain_config.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// `version` and `batch_num` must be there; other missing keys take their defaults; layers keep the
// order of the text. Errors beyond those of ParseJson: unknown keys (with near ones), values of
// another type or out of range, one clip without the other. Whether the layers exist and can do
// what they are told is ResolveRetrainSettings's question.
StatusOr<quant::RetrainConfig> ParseRetrainJson(std::string_view text);

}  // namespace lathe::frontends
