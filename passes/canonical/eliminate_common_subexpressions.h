#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// eliminate-common-subexpressions: computes once what is computed several times. See its
// description.
const PassDescriptor& EliminateCommonSubexpressionsPass();

}  // namespace lathe::passes
