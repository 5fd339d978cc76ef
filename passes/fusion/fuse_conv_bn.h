#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fuse-conv-bn: folds BatchNormalization into the convolution before it. See its description.
const PassDescriptor& FuseConvBnPass();

}  // namespace lathe::passes
