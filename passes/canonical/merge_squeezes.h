#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-squeezes: one Squeeze or Unsqueeze for several in a row. See its description.
const PassDescriptor& MergeSqueezesPass();

}  // namespace lathe::passes
