#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-nop-repetition: removes operators whose effect their operand shows already. See its
// description.
const PassDescriptor& EliminateNopRepetitionPass();
std::vector<RewriteRule> NopRepetitionRules();

}  // namespace lathe::passes
