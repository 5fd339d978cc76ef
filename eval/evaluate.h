// A small evaluator of single operators, for folding constants: exact, and in no hurry.
//
// Results are those of ONNX's definition for the operator set that the node's graph imports, bit
// for bit: only operators whose result the definition fixes are here. Arithmetic in float16 and
// bfloat16 is done in float32 and rounded once. Integer arithmetic wraps. Sums and means of floats
// accumulate in double. What has no defined result (division of integers by zero, a cast of NaN or
// of a value that does not fit) is an error, not a guess.
//
// Known: Abs Add And ArgMax ArgMin Cast CastLike Ceil Concat Constant ConstantOfShape
// DequantizeLinear Div Equal Expand Flatten Floor Gather Greater GreaterOrEqual Identity Less
// LessOrEqual Max Min Mod Mul Neg Not Or Pad Pow QuantizeLinear Range Reciprocal ReduceMax
// ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape Round Shape Sign Size Slice Split Sqrt
// Squeeze Sub Tile Transpose Unsqueeze Where Xor.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::eval {

struct EvaluateOptions {
  // A larger result is an error (ResourceExhausted), found before it is made.
  size_t max_result_bytes = size_t{64} << 20;
};

// Whether Evaluate knows the operator.
bool CanEvaluate(const ir::Node& node);

// The outputs of `node`, one each, for these inputs; an omitted optional input is an empty Tensor.
// Errors name the node: an unknown operator or element type (Unimplemented); inputs that the
// operator does not take; an undefined or too large result. O(elements · rank).
StatusOr<std::vector<ir::Tensor>> Evaluate(const ir::Node& node, std::span<const ir::Tensor> inputs,
                                           const EvaluateOptions& options = {});

}  // namespace lathe::eval
