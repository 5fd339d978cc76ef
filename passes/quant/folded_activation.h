// What AdaRound takes together with a layer: its bias and the activation behind it (the reference's
// 7.6).
#pragma once

#include <vector>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/ada_layer.h"
#include "lathe/support/status.h"

namespace lathe::passes {

struct FoldedActivation {
  // One value an output channel; empty without a bias.
  std::vector<float> bias;
  quant::AdaActivation activation = quant::AdaActivation::kNone;
  // LeakyRelu, PRelu: one slope, or one an output channel.
  std::vector<float> slopes;
  // What the layer, its bias and its activation compute together.
  ir::Value* result = nullptr;
};

// The activation is one that alone reads the layer's result: Relu, Sigmoid, Tanh, LeakyRelu, PRelu
// with constant slopes, Clip to [0, 6], Gelu, and GELU written with Erf or Tanh. A MatMul's result
// is that of the Add behind it, where that adds one value a channel. Error: a bias that is not one
// value a channel.
StatusOr<FoldedActivation> FoldActivation(const QuantLayer& layer);

}  // namespace lathe::passes
