#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-clip: removes Clip without bounds. See its description.
const PassDescriptor& EliminateNopClipPass();
std::vector<RewriteRule> NopClipRules();

}  // namespace lathe::passes
