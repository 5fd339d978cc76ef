#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// insert-tensor-quant: rounds marked inputs of Add and MaxPool on their edge. See its description.
const PassDescriptor& InsertTensorQuantPass();

}  // namespace lathe::passes
