#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-arithmetic: removes arithmetic with neutral constants. See its description.
const PassDescriptor& EliminateNopArithmeticPass();
std::vector<RewriteRule> NopArithmeticRules();

}  // namespace lathe::passes
