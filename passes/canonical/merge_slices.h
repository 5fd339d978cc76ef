#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-slices: one Slice for several in a row. See its description.
const PassDescriptor& MergeSlicesPass();

}  // namespace lathe::passes
