#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// mask-weights: makes the weights zero that a record's masks name. See its description.
const PassDescriptor& MaskWeightsPass();

}  // namespace lathe::passes
