#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-transpose: removes transposes that move no data. See its description.
const PassDescriptor& EliminateNopTransposePass();
std::vector<RewriteRule> NopTransposeRules();

}  // namespace lathe::passes
