#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-variadic: removes sums, maxima, minima and means of one value. See its description.
const PassDescriptor& EliminateNopVariadicPass();
std::vector<RewriteRule> NopVariadicRules();

}  // namespace lathe::passes
