#pragma once

#include <cstdint>

#include "lathe/ir/model.h"

namespace lathe::passes {

// The version of ONNX's own operators in the model or function that the node belongs to; 0 when it
// does not import them. O(nesting + imports).
int64_t OpsetOf(const ir::Node& node);

}  // namespace lathe::passes
