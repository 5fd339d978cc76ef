// Weights of 4 bits, which deploy files hold two a byte.
#pragma once

#include "lathe/ir/rewriter.h"
#include "lathe/support/status.h"

namespace lathe::runtime {

// Infers types and gives every layer whose int8 weight is for half as many input channels as its
// input has (the reference's 5.5: pairs along the input channels, the first in the low bits) a
// weight with one integer a byte. Layers whose input's channels are not known stay. O(nodes) for
// each MatMul that holds the inference up, once otherwise.
Status UnpackInt4Weights(ir::Rewriter& rewriter);

}  // namespace lathe::runtime
