#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// transpose-gemm-weight: rewrites Gemm with transB into one without. See its description.
const PassDescriptor& TransposeGemmWeightPass();

}  // namespace lathe::passes
