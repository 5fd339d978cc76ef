#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fold-quantizers: turns what is computed from constants for QuantizeLinear and DequantizeLinear
// into constants. See its description.
const PassDescriptor& FoldQuantizersPass();

}  // namespace lathe::passes
