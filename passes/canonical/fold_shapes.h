#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fold-shapes: follows arithmetic on extents, known and symbolic. See its description.
const PassDescriptor& FoldShapesPass();

}  // namespace lathe::passes
