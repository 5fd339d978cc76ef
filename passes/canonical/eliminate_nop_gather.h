#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-gather: removes Gather of everything in order. See its description.
const PassDescriptor& EliminateNopGatherPass();
std::vector<RewriteRule> NopGatherRules();

}  // namespace lathe::passes
