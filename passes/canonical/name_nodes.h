#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// name-nodes: gives every node of the main graph a name of its own. See its description.
const PassDescriptor& NameNodesPass();

}  // namespace lathe::passes
