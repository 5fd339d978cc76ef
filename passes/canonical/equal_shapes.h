// What types prove about shapes.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/ir/type.h"

namespace lathe::passes {

// Whether the two are certainly the same extent: known and equal, or one symbol.
bool EqualDims(const ir::Dim& a, const ir::Dim& b);

// Whether two tensors of these types certainly have the same element type and shape. O(rank).
bool EqualTensorTypes(const ir::Type& a, const ir::Type& b);

// Whether an elementwise operator of a tensor of type `type` and a constant with extents `constant`
// certainly gives the tensor's own shape (ONNX's multidirectional broadcasting). O(rank).
bool BroadcastKeepsShape(const ir::Type& type, std::span<const int64_t> constant);

}  // namespace lathe::passes
