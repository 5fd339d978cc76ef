// Shapes of our own operators, in the terms of onnx's inference.
#pragma once

#include <string_view>

#include <onnx/defs/shape_inference.h>

namespace lathe::ir {

// Infers the output types of one of our operators. False when it is none of ours.
bool InferAscendOperator(std::string_view domain, std::string_view op,
                         onnx::InferenceContext& context);

}  // namespace lathe::ir
