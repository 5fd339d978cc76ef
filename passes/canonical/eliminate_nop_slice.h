#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-slice: removes slices of everything. See its description.
const PassDescriptor& EliminateNopSlicePass();
std::vector<RewriteRule> NopSliceRules();

}  // namespace lathe::passes
