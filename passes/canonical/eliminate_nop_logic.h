#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-logic: removes logic that decides nothing. See its description.
const PassDescriptor& EliminateNopLogicPass();
std::vector<RewriteRule> NopLogicRules();

}  // namespace lathe::passes
