#include "lathe/quant/config/layer_rules.h"

#include <fmt/format.h>

namespace lathe::quant {
namespace {

bool IsRecurrent(LayerType type) { return type == LayerType::kLstm || type == LayerType::kGru; }

}  // namespace

Reason WhyNotChannelWise(LayerType type) {
  if (type != LayerType::kLinear && type != LayerType::kAvgPool2d) return std::nullopt;
  return fmt::format("{} has one weight scale", ToString(type));
}

bool IsAlwaysChannelWise(LayerType type) { return IsRecurrent(type); }

Reason WhyNotInt16(const LayerDescription& layer) {
  if (layer.type == LayerType::kConv3d || layer.type == LayerType::kAvgPool2d) {
    return fmt::format("{} takes no 16-bit activations", ToString(layer.type));
  }
  if (layer.type == LayerType::kLinear && !layer.has_bias) {
    return "a Linear layer takes 16-bit activations only if it has a bias";
  }
  return std::nullopt;
}

Reason WhyNotInt4Activations(LayerType type) {
  if (!IsRecurrent(type)) return std::nullopt;
  return fmt::format("{} takes 8- or 16-bit activations", ToString(type));
}

Reason WhyNotAsymmetric(LayerType type) {
  if (type != LayerType::kConv3d) return std::nullopt;
  return "Conv3d takes symmetric activations only";
}

Reason WhyNotInt4Weights(const LayerDescription& layer) {
  if (layer.cin_axis_lengths.empty()) return fmt::format("{} has no weight", ToString(layer.type));
  if (layer.group > 1) {
    return fmt::format("4-bit weights cannot be packed when group is {}", layer.group);
  }
  for (const int64_t length : layer.cin_axis_lengths) {
    if (length % 2 != 0) {
      return fmt::format("4-bit weights are packed in pairs and there are {} input channels",
                         length);
    }
  }
  return std::nullopt;
}

Reason WhyNotInt6Weights(LayerType type) {
  if (type == LayerType::kConv2d) return std::nullopt;
  return fmt::format("only Conv2d takes 6- or 7-bit weights, this is {}", ToString(type));
}

Reason WhyNotAdaRound(LayerType type) {
  if (type == LayerType::kConv2d || type == LayerType::kConvTranspose2d ||
      type == LayerType::kLinear) {
    return std::nullopt;
  }
  return fmt::format("ada_quantize is for Conv2d, ConvTranspose2d and Linear, this is {}",
                     ToString(type));
}

Reason WhyNotBalancing(LayerType type) {
  if (type != LayerType::kAvgPool2d && !IsRecurrent(type)) return std::nullopt;
  return fmt::format("{} cannot be balanced", ToString(type));
}

bool IsFusible(LayerType type) {
  return type == LayerType::kConv1d || type == LayerType::kConv2d || type == LayerType::kConv3d;
}

}  // namespace lathe::quant
