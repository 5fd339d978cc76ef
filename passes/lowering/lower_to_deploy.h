#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// lower-to-deploy: finishes the graph that the accelerator runs. See its description.
const PassDescriptor& LowerToDeployPass();

}  // namespace lathe::passes
