// What calibration does with each layer: a configuration applied to a network, every default filled
// in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/ptq_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct LayerSettings {
  std::string name;
  LayerType type = LayerType::kConv2d;
  std::optional<double> dmq_balancer_param;
  // Activation.
  int activation_bits = 8;
  bool with_offset = true;  // asymmetric, or activation_offset where the file says nothing
  std::variant<IfmrParameters, HfmgParameters> algorithm;
  // Weight; never with an offset. AvgPool2d has none.
  int weight_bits = 8;
  bool channel_wise = false;
  std::optional<AdaParameters> ada;  // absent: ARQ
};

// An input that is quantised on its own, with 8 bits.
struct TensorSettings {
  // TensorKey of the node and its input.
  std::string key;
  bool with_offset = true;
  std::variant<IfmrParameters, HfmgParameters> algorithm;
};

struct QuantSettings {
  int64_t batch_num = 1;
  bool joint_quant = false;
  bool do_fusion = true;
  bool force_fp16_quant = false;
  std::vector<std::string> skip_fusion_layers;
  // The layers to quantise, in graph order.
  std::vector<LayerSettings> layers;
  // In the order of the configuration.
  std::vector<TensorSettings> tensors;
  // One sentence for each value that was changed because the layer cannot do it.
  std::vector<std::string> notes;
};

// The reference's 2.1, "parse-time additions", and the layer rules of its 3.6. Errors: a layer that
// the model lacks, that cannot be quantised or that is there twice; a value out of range; a setting
// that the layer's type cannot take; a bad skip_fusion_layers or tensor_quantize; no layer with
// quant_enable. Rules are applied to disabled layers too: the mistake would show as soon as they
// are enabled.
StatusOr<QuantSettings> ResolveQuantSettings(const PtqConfig& config,
                                             const NetworkDescription& network);

}  // namespace lathe::quant
