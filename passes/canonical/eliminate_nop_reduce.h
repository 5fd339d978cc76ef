#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-reduce: removes reductions over nothing. See its description.
const PassDescriptor& EliminateNopReducePass();
std::vector<RewriteRule> NopReduceRules();

}  // namespace lathe::passes
