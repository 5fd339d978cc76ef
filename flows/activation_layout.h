// Which input channel each value of a layer's activation belongs to.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// The activation's channels: the last axis of Linear's, else axis 1. Error: the shape does not have
// the channels of the layer's weight.
StatusOr<quant::WeightLayout> ActivationLayout(const passes::QuantLayer& layer,
                                               std::span<const int64_t> dims);

}  // namespace lathe::flows
