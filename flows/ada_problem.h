// One layer as AdaRound optimises it: its weight in the optimiser's layout, and its geometry.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/ada_layer.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// How a stored weight [a, b, c, d] becomes [a, c, b, d]: [groups * cout, patch] of the optimiser.
struct WeightOrder {
  int64_t a = 1, b = 1, c = 1, d = 1;
  std::vector<float> ToRows(std::span<const float> stored) const;
  std::vector<float> FromRows(std::span<const float> rows) const;
};
WeightOrder OrderOf(const passes::QuantLayer& layer);

// Output channels first: one scale a row, or one for all.
quant::WeightLayout RowLayout(const passes::QuantLayer& layer, bool channel_wise);

// The geometry of the layer for an input and an output of these shapes. Errors: shapes that do not
// fit the layer's weight.
StatusOr<quant::LayerShape> LayerShapeOf(const passes::QuantLayer& layer,
                                         std::span<const int64_t> input,
                                         std::span<const int64_t> output);

}  // namespace lathe::flows
