// The simplified configuration (.cfg) of quantisation-aware training as plain values (the
// reference's message AMCTRetrainConfig, without its fields for pruning).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/quant/config/retrain_config.h"

namespace lathe::quant {

struct RetrainOverride {
  std::string target;  // A layer type or a layer name.
  // What the override leaves out takes the fields' defaults, not the global values.
  RetrainDataConfig data;
  RetrainWeightConfig weight;
  bool operator==(const RetrainOverride&) const = default;
};

struct AmctRetrainConfig {
  int64_t batch_num = 1;
  bool force_fp16_quant = false;
  // retrain_data_quant_config and retrain_weight_quant_config.
  RetrainDataConfig data;
  RetrainWeightConfig weight;
  // Only layers with an override are trained: in a configuration for compression, which quantises
  // no layer unless it is told to.
  bool only_overrides = false;
  std::vector<std::string> skip_layers;
  std::vector<std::string> skip_layer_types;
  std::vector<std::string> quant_skip_layers;
  std::vector<std::string> quant_skip_types;
  std::vector<RetrainOverride> override_layer_types;
  std::vector<RetrainOverride> override_layer_configs;
  bool operator==(const AmctRetrainConfig&) const = default;
};

}  // namespace lathe::quant
