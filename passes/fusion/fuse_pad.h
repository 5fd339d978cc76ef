#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fuse-pad: gives a Pad to the convolution or pool that it feeds. See its description.
const PassDescriptor& FusePadPass();

}  // namespace lathe::passes
