#include "lathe/quant/config/layer.h"

#include <array>

namespace lathe::quant {
namespace {

constexpr std::array kAllTypes = {LayerType::kConv1d,
                                  LayerType::kConv2d,
                                  LayerType::kConv3d,
                                  LayerType::kConvTranspose1d,
                                  LayerType::kConvTranspose2d,
                                  LayerType::kLinear,
                                  LayerType::kAvgPool2d,
                                  LayerType::kLstm,
                                  LayerType::kGru};

}  // namespace

std::string_view ToString(LayerType type) {
  switch (type) {
    case LayerType::kConv1d:
      return "Conv1d";
    case LayerType::kConv2d:
      return "Conv2d";
    case LayerType::kConv3d:
      return "Conv3d";
    case LayerType::kConvTranspose1d:
      return "ConvTranspose1d";
    case LayerType::kConvTranspose2d:
      return "ConvTranspose2d";
    case LayerType::kLinear:
      return "Linear";
    case LayerType::kAvgPool2d:
      return "AvgPool2d";
    case LayerType::kLstm:
      return "LSTM";
    case LayerType::kGru:
      return "GRU";
  }
  return "unknown";
}

std::span<const LayerType> AllLayerTypes() { return kAllTypes; }

std::optional<LayerType> ParseLayerType(std::string_view name) {
  for (const LayerType type : kAllTypes) {
    if (ToString(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace lathe::quant
