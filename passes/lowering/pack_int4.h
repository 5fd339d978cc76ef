// Two 4-bit values a byte, as the accelerator reads them.
#pragma once

#include "lathe/ir/tensor.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// Pairs the values of an int8 tensor along an axis: byte = first & 15 | second << 4 (the
// reference's 5.5); the axis becomes half as long. O(size). Error: an axis of odd length.
StatusOr<ir::Tensor> PackInt4(const ir::Tensor& tensor, size_t axis);

}  // namespace lathe::passes
