#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-cast: removes casts to the type that a value has already. See its description.
const PassDescriptor& EliminateNopCastPass();
std::vector<RewriteRule> NopCastRules();

}  // namespace lathe::passes
