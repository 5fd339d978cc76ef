#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fold-weights: turns weights that are computed from constants into constants. See its description.
const PassDescriptor& FoldWeightsPass();

}  // namespace lathe::passes
