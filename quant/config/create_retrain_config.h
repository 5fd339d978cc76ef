// A full configuration of quantisation-aware training for a network, from defaults, options or a
// simplified configuration.
#pragma once

#include <string>
#include <vector>

#include "lathe/quant/config/amct_retrain_config.h"
#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/retrain_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct CreatedRetrainConfig {
  // Every layer of the network that can be trained, in its order; skipped layers have
  // retrain_enable false.
  RetrainConfig config;
  // One sentence for each wish that a layer cannot fulfil and that was therefore changed.
  std::vector<std::string> notes;
};

// The reference's 2.3: each layer takes the override of its name, else of its type, else the global
// values; an override travels as a whole. A layer with an override is trained even if it is
// skipped, as in the reference. What a layer cannot do is changed (and noted) when it comes from
// the global values and is an error when it comes from an override; 4-bit weights that cannot be
// packed become 8-bit ones always. Errors: batch_num below 1; values out of range; 4-bit
// activations, which only a JSON file may ask for; rules that name nothing, that are there twice or
// whose layer cannot be trained; no layer, or none left; a layer named like a global key.
StatusOr<CreatedRetrainConfig> CreateRetrainConfig(const NetworkDescription& network,
                                                   const AmctRetrainConfig& simplified);

}  // namespace lathe::quant
