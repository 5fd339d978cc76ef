#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// fuse-affine-before: folds a preceding affine operator into a layer's weights. See its
// description.
const PassDescriptor& FuseAffineBeforePass();

}  // namespace lathe::passes
