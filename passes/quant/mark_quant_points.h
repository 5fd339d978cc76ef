#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// mark-quant-points: annotates the operands to be quantised. See its description.
const PassDescriptor& MarkQuantPointsPass();

}  // namespace lathe::passes
