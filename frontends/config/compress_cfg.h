// Reads the simplified configuration (.cfg) of pruning, and of pruning together with
// quantisation-aware training (the reference's 2.3 and 2.7).
#pragma once

#include <string_view>

#include "lathe/quant/config/prune_config.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Floats become the doubles of their shortest float32 decimals. Errors of both: text that is not an
// AMCTRetrainConfig (line, column, field); a pattern that is given twice, or by half. Ratios and
// patterns out of range are ResolvePruneSettings' to refuse.

// For pruning alone. Errors: fields for quantisation (line, column, field, reason); nothing is to
// be pruned.
StatusOr<quant::AmctPruneConfig> ParsePruneCfg(std::string_view text);

// For either or both: which, the messages that are there say, globally or in overrides. Without a
// global message of its own a half concerns only the layers with an override. Error: neither.
StatusOr<quant::AmctCompressConfig> ParseCompressCfg(std::string_view text);

}  // namespace lathe::frontends
