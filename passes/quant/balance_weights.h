#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// balance-weights: multiplies weights by balance factors. See its description.
const PassDescriptor& BalanceWeightsPass();

}  // namespace lathe::passes
