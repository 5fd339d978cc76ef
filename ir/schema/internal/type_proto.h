// Our types as onnx's messages and back.
#pragma once

#include <onnx/onnx_pb.h>

#include "lathe/ir/model.h"

namespace lathe::ir {

onnx::TypeProto ToTypeProto(const Type& type);
// A negative extent becomes an unknown one; an element type that ONNX does not have, the undefined.
const Type* FromTypeProto(const Model& model, const onnx::TypeProto& message);

}  // namespace lathe::ir
