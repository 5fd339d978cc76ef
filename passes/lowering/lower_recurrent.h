#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// lower-recurrent: LSTM and GRU as the accelerator's operators. See its description.
const PassDescriptor& LowerRecurrentPass();

}  // namespace lathe::passes
