#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fake-quantize-weights: rounds weights to their quantised values. See its description.
const PassDescriptor& FakeQuantizeWeightsPass();

}  // namespace lathe::passes
