#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// insert-ascend-quant: quantises activations of marked layers. See its description.
const PassDescriptor& InsertAscendQuantPass();

}  // namespace lathe::passes
