#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-pool: removes pools over one element. See its description.
const PassDescriptor& EliminateNopPoolPass();
std::vector<RewriteRule> NopPoolRules();

}  // namespace lathe::passes
