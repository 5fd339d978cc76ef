#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-sequence: removes what takes out of a sequence or optional what was just put in.
// See its description.
const PassDescriptor& EliminateNopSequencePass();
std::vector<RewriteRule> NopSequenceRules();

}  // namespace lathe::passes
