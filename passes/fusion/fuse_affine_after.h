#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fuse-affine-after: folds a following affine operator into a layer's weights. See its description.
const PassDescriptor& FuseAffineAfterPass();

}  // namespace lathe::passes
