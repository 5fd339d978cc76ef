#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// lower-to-fake-quant: rewrites a lowered graph in standard operators. See its description.
const PassDescriptor& LowerToFakeQuantPass();

}  // namespace lathe::passes
