#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// convert-batch-norm: BatchNormalization as Mul and Add. See its description.
const PassDescriptor& ConvertBatchNormPass();

}  // namespace lathe::passes
