#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-reshape: removes reshapes to the same shape. See its description.
const PassDescriptor& EliminateNopReshapePass();
std::vector<RewriteRule> NopReshapeRules();

}  // namespace lathe::passes
