#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// quantize-bias: makes biases of marked layers int32. See its description.
const PassDescriptor& QuantizeBiasPass();

}  // namespace lathe::passes
