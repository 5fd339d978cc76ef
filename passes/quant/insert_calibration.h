#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// insert-calibration: puts observers on activations. See its description.
const PassDescriptor& InsertCalibrationPass();

}  // namespace lathe::passes
