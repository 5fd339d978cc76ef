#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fold-constants: computes nodes whose operands are constant. See its description.
const PassDescriptor& FoldConstantsPass();

}  // namespace lathe::passes
