#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// simulate-recurrent: LSTM and GRU on rounded values. See its description.
const PassDescriptor& SimulateRecurrentPass();

}  // namespace lathe::passes
