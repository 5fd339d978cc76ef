#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// insert-ascend-dequant: brings results of marked layers back to reals. See its description.
const PassDescriptor& InsertAscendDequantPass();

}  // namespace lathe::passes
