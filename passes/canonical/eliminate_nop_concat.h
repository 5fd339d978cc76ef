#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-concat: removes concatenations of one and splits into one. See its description.
const PassDescriptor& EliminateNopConcatPass();
std::vector<RewriteRule> NopConcatRules();

}  // namespace lathe::passes
