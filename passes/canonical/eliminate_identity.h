#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-identity: removes operators that hand their input on. See its description.
const PassDescriptor& EliminateIdentityPass();
std::vector<RewriteRule> IdentityRules();

// Whether a Dropout drops nothing.
bool IsInferenceDropout(const ir::Node& dropout);

}  // namespace lathe::passes
