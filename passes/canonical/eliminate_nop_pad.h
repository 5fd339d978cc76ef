#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-pad: removes pads by nothing. See its description.
const PassDescriptor& EliminateNopPadPass();
std::vector<RewriteRule> NopPadRules();

}  // namespace lathe::passes
