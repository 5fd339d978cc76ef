// The simplified configuration (.cfg) as plain values (the reference's message AMCTConfig).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/quant/config/ptq_config.h"

namespace lathe::quant {

struct ArqOptions {
  std::optional<bool> channel_wise;
  std::optional<int64_t> quant_bits;
  bool operator==(const ArqOptions&) const = default;
};

struct AdaOptions {
  AdaParameters parameters;
  std::optional<bool> channel_wise;
  bool operator==(const AdaOptions&) const = default;
};

// A message CalibrationConfig: what is absent takes the defaults, field by field of this struct.
struct CalibrationChoice {
  std::variant<std::monostate, ArqOptions, AdaOptions> weight;
  std::optional<ActivationConfig> activation;
  std::optional<double> dmq_balancer_param;
  bool operator==(const CalibrationChoice&) const = default;
};

struct CalibrationOverride {
  std::string target;  // A layer type or a layer name.
  CalibrationChoice choice;
  bool operator==(const CalibrationOverride&) const = default;
};

struct AmctConfig {
  int64_t batch_num = 1;
  bool activation_offset = true;
  bool joint_quant = false;
  std::vector<std::string> skip_layers;
  std::vector<std::string> skip_layer_types;
  bool force_fp16_quant = false;
  std::optional<CalibrationChoice> common_config;
  // For the types with one weight scale (Linear, AvgPool2d), if the model has any.
  std::optional<CalibrationChoice> fc_calibration_config;
  std::vector<CalibrationOverride> override_layer_types;
  std::vector<CalibrationOverride> override_layer_configs;
  bool do_fusion = true;
  std::vector<std::string> skip_fusion_layers;
  std::vector<TensorQuantizeConfig> tensor_quantize;
  bool operator==(const AmctConfig&) const = default;
};

}  // namespace lathe::quant
