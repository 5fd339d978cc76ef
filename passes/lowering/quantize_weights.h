#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// quantize-weights: makes weights of marked layers integers. See its description.
const PassDescriptor& QuantizeWeightsPass();

}  // namespace lathe::passes
