#pragma once

#include "lathe/passes/canonical/no_op.h"

namespace lathe::passes {

// eliminate-no-ops: removes every operator that changes nothing, in one walk. See its description.
const PassDescriptor& EliminateNoOpsPass();

}  // namespace lathe::passes
