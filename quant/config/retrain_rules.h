// What a configuration of quantisation-aware training may say, whatever file it came from (the
// reference's 2.3 and 3.6). Errors begin with `where`.
#pragma once

#include <string_view>

#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/retrain_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// The layers that can be trained: all but AvgPool2d, which has nothing to train, and those that
// only a configuration after training may name (layer.h).
NetworkDescription TrainableNetwork(NetworkDescription network);

// clip_max above 0, clip_min below 0, both finite in float32; 4, 8 or 16 bits.
Status CheckRetrainData(std::string_view where, const RetrainDataConfig& data);
// 4 or 8 bits.
Status CheckRetrainWeight(std::string_view where, const RetrainWeightConfig& weight);
// The pairs of activation and weight that exist: A4W4, A8W8, A16W8, A8W4.
Status CheckRetrainPair(std::string_view where, int64_t activation_bits, int64_t weight_bits);

}  // namespace lathe::quant
