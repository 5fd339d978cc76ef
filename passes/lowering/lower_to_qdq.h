#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// lower-to-qdq: writes a quantised graph with QuantizeLinear and DequantizeLinear. See its
// description.
const PassDescriptor& LowerToQdqPass();

}  // namespace lathe::passes
