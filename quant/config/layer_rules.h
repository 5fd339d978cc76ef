// What each kind of layer can do (the reference's table of layer types and section 3.6). The Why...
// functions return the reason why a layer cannot do it, as a clause without a subject's name, or
// nullopt when it can.
#pragma once

#include <optional>
#include <string>

#include "lathe/quant/config/layer.h"

namespace lathe::quant {

using Reason = std::optional<std::string>;

// One weight scale for each output channel instead of one for the layer.
Reason WhyNotChannelWise(LayerType type);
// The gates of LSTM and GRU are always scaled one by one.
bool IsAlwaysChannelWise(LayerType type);
// 16-bit activations.
Reason WhyNotInt16(const LayerDescription& layer);
// 4-bit activations.
Reason WhyNotInt4Activations(LayerType type);
// Activations with an offset.
Reason WhyNotAsymmetric(LayerType type);
// 4-bit weights: two neighbours along the input channels share a byte.
Reason WhyNotInt4Weights(const LayerDescription& layer);
// 6- and 7-bit weights.
Reason WhyNotInt6Weights(LayerType type);
// ada_quantize (AdaRound).
Reason WhyNotAdaRound(LayerType type);
// dmq_balancer_param: balancing activations against weights.
Reason WhyNotBalancing(LayerType type);
// Can take a BatchNormalization that follows: the layers skip_fusion_layers may name.
bool IsFusible(LayerType type);

}  // namespace lathe::quant
