#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// convert-matmul-add: MatMul and Add as Gemm. See its description.
const PassDescriptor& ConvertMatMulAddPass();

}  // namespace lathe::passes
