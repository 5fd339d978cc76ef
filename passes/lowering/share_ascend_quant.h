#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// share-ascend-quant: merges equal AscendQuant nodes. See its description.
const PassDescriptor& ShareAscendQuantPass();

}  // namespace lathe::passes
