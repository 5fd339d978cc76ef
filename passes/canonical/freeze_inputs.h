#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// freeze-inputs: turns graph inputs with a default into constants. See its description.
const PassDescriptor& FreezeInputsPass();

}  // namespace lathe::passes
