#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-reshapes: one Reshape for several layout changes in a row. See its description.
const PassDescriptor& MergeReshapesPass();

}  // namespace lathe::passes
