// A full configuration for a network, from defaults, options or a simplified configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/quant/config/amct_config.h"
#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/ptq_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct PtqOptions {
  std::vector<std::string> skip_layers;
  int64_t batch_num = 1;
  bool activation_offset = true;
};

struct CreatedPtqConfig {
  // Every layer of the network but those on request (layer.h) that no override_layer_configs names,
  // sorted by name; skipped layers have quant_enable false.
  PtqConfig config;
  // One sentence for each wish of common_config that a layer cannot fulfil and that was therefore
  // changed.
  std::vector<std::string> notes;
};

// Every layer with the defaults (the reference's 1.2, create_quant_config). Errors: batch_num below
// 1; a skip layer that is there twice, that the model lacks or that cannot be quantised; no layer
// that can be quantised, or none left; a layer named like a global key.
StatusOr<CreatedPtqConfig> CreatePtqConfig(const NetworkDescription& network,
                                           const PtqOptions& options);

// The same from a simplified configuration (the reference's 2.2): each layer takes one
// CalibrationChoice as a whole, the override of its name, else of its type, else common_config,
// else nothing. What a layer cannot do is changed (and noted) when it comes from common_config and
// is an error when it comes from an override; 4-bit weights that cannot be packed become 8-bit ones
// always. channel_wise of common_config is left out where a type has one scale. Errors as above,
// and for values out of range and rules that name nothing.
StatusOr<CreatedPtqConfig> CreatePtqConfig(const NetworkDescription& network,
                                           const AmctConfig& simplified);

}  // namespace lathe::quant
