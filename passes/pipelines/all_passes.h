// Every pass and named pipeline of Lathe.
#pragma once

#include "lathe/passes/core/registry.h"

namespace lathe::passes {

// Registers the passes, then the pipelines. Errors: a descriptor is not complete or a name is
// taken; neither happens in a registry that was empty.
Status RegisterAllPasses(PassRegistry& registry);

}  // namespace lathe::passes
