// What training does with each layer: a configuration applied to a network, every default filled
// in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/retrain_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct RetrainLayerSettings {
  std::string name;
  LayerType type = LayerType::kConv2d;
  // Activation; always with an offset.
  int activation_bits = 8;
  std::optional<ClipRange> clips;
  // Absent: where the activation comes from a Relu.
  std::optional<bool> fixed_min;
  // Weight; never with an offset.
  int weight_bits = 8;
  bool ulq = false;
  bool channel_wise = false;
  bool operator==(const RetrainLayerSettings&) const = default;
};

struct RetrainSettings {
  int64_t batch_num = 1;
  bool force_fp16_quant = false;
  // The layers to train, in graph order.
  std::vector<RetrainLayerSettings> layers;
  // One sentence for each value that was changed because the layer cannot do it.
  std::vector<std::string> notes;
};

// Layers that the configuration does not name are not trained. Errors: a layer that the model
// lacks, that cannot be trained or that is there twice; a value out of range; a setting that the
// layer's type cannot take; no layer with retrain_enable. Rules are applied to disabled layers too:
// the mistake would show as soon as they are enabled.
StatusOr<RetrainSettings> ResolveRetrainSettings(const RetrainConfig& config,
                                                 const NetworkDescription& network);

}  // namespace lathe::quant
