#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// insert-balance: divides activations by balance factors. See its description.
const PassDescriptor& InsertBalancePass();

}  // namespace lathe::passes
