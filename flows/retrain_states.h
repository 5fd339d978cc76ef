// What a retrain model holds of what was trained.
#pragma once

#include <vector>

#include "lathe/passes/quant/remove_retrain.h"
#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/quant/retrain.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// The states that the constants of its quantisers say, one a layer. Errors: constants that are
// missing, too many, or not as many values as the configuration of the layers asks for: then the
// model was made with another one.
StatusOr<std::vector<quant::RetrainState>> StatesOfConstants(
    const std::vector<passes::RetrainLayer>& layers, const passes::QuantizerConstants& constants);

}  // namespace lathe::flows
