// What OpenVINO is known to compute otherwise than ONNX says.
#pragma once

#include "lathe/ir/node.h"
#include "lathe/support/status.h"

namespace lathe::runtime {

// Errors name operator and node: a string constant, input or output; an attribute that OpenVINO
// ignores; an operator, or a form of it, that has other results there. Forms that depend on shapes
// are found where these are known. O(operands).
Status CheckComputedAlike(const ir::Node& node);

}  // namespace lathe::runtime
