// The factors of a trained network.
#pragma once

#include <vector>

#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/retrain.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// The scales that ARQ gives an operand of the layer, its weight or recurrence weight, as it is (the
// reference's 7.2): one, or one a channel.
StatusOr<std::vector<float>> ArqScalesOf(const passes::RetrainLayer& layer, const ir::Use& operand);

// One entry a layer, in their order (the reference's 2.8, "record from a checkpoint"): the
// activation from the clips, weights by ARQ or by their learned scales, BatchNormalization
// included. The graph holds the trained weights, BatchNormalization not yet folded. Errors carry
// the layer: clips or weights that are not finite.
StatusOr<quant::Record> MakeRetrainRecord(const std::vector<passes::RetrainLayer>& layers,
                                          const std::vector<quant::RetrainState>& states);

}  // namespace lathe::flows
