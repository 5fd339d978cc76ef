#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-expand: removes Expand and Tile that repeat nothing. See its description.
const PassDescriptor& EliminateNopExpandPass();
std::vector<RewriteRule> NopExpandRules();

}  // namespace lathe::passes
