#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// normalize-gemm: takes transA, alpha and beta out of Gemm. See its description.
const PassDescriptor& NormalizeGemmPass();

}  // namespace lathe::passes
