#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-transposes: one Transpose for several in a row. See its description.
const PassDescriptor& MergeTransposesPass();

}  // namespace lathe::passes
