#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// inline-functions: puts the bodies of local functions in place of their calls. See its
// description.
const PassDescriptor& InlineFunctionsPass();

}  // namespace lathe::passes
