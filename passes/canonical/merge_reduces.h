#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-reduces: one reduction for several in a row. See its description.
const PassDescriptor& MergeReducesPass();

}  // namespace lathe::passes
