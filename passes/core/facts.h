// Facts: statements about a model that passes establish, need and may destroy. A pipeline whose
// order cannot hold is refused when it is built.
#pragma once

#include <string_view>

namespace lathe::passes::facts {

// Every value whose shape can be known has it.
inline constexpr std::string_view kShapesInferred = "shapes-inferred";
// No BatchNormalization is left that belongs into a convolution.
inline constexpr std::string_view kConvBnFused = "conv-bn-fused";
// Weights of quantisable layers are initializers of their own, not shared and not computed.
inline constexpr std::string_view kWeightsFolded = "weights-folded";
// Operands to be quantised carry annotations.
inline constexpr std::string_view kQuantPointsMarked = "quant-points-marked";
// Activation and weight factors are known.
inline constexpr std::string_view kCalibrated = "calibrated";
inline constexpr std::string_view kSearchNInserted = "searchn-inserted";
// The channels that a record names are out.
inline constexpr std::string_view kChannelsPruned = "channels-pruned";
inline constexpr std::string_view kSparsityApplied = "sparsity-applied";
// Weights hold only values that integers stand for, and their layers say so: a modified model.
inline constexpr std::string_view kWeightsRounded = "weights-rounded";
// AscendQuant, AscendDequant and integer weights are in place.
inline constexpr std::string_view kAscendLowered = "ascend-lowered";
// What AscendQuant and AscendDequant do is written in standard operators: a fake-quant model.
inline constexpr std::string_view kFakeQuantLowered = "fake-quant-lowered";

}  // namespace lathe::passes::facts
