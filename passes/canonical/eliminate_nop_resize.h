#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-resize: removes Resize, Upsample and the like with factor 1. See its description.
const PassDescriptor& EliminateNopResizePass();
std::vector<RewriteRule> NopResizeRules();

}  // namespace lathe::passes
