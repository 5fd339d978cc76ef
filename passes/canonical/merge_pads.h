#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-pads: one Pad for several in a row. See its description.
const PassDescriptor& MergePadsPass();

}  // namespace lathe::passes
