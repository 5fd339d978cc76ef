#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// eliminate-dead-nodes: removes what no output depends on. See its description.
const PassDescriptor& EliminateDeadNodesPass();

}  // namespace lathe::passes
