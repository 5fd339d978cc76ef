#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// infer-shapes: works out element types and shapes of all values. See its description.
const PassDescriptor& InferShapesPass();

}  // namespace lathe::passes
