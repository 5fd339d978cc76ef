// Attributes and small constants as onnx's messages.
#pragma once

#include <onnx/onnx_pb.h>

#include "lathe/ir/attribute.h"

namespace lathe::ir {

// Larger tensors are given without their elements: inference computes shapes, not tensors.
inline constexpr int64_t kMaxConstantElements = 4096;

// Element type and dims, and the elements when there are few and they can be read.
onnx::TensorProto ToTensorProto(const Tensor& tensor);

// A body is given as an empty graph: inference reaches it through its GraphInferencer.
onnx::AttributeProto ToAttributeProto(std::string_view name, const AttributeValue& value);

}  // namespace lathe::ir
