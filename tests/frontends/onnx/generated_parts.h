// The models of generated_models.h one by one; each source holds those of a topic.
#pragma once

#include <onnx/onnx_pb.h>

namespace lathe::test {

// generated_values.cpp
onnx::ModelProto Small();
onnx::ModelProto SparseTensors();
onnx::ModelProto InitializersAsInputs();
onnx::ModelProto OmittedOperands();

// generated_types.cpp
onnx::ModelProto RawElementTypes();
onnx::ModelProto TypedElementTypes();
onnx::ModelProto ValueTypes();

// generated_bodies.cpp
onnx::ModelProto NestedBodies();
onnx::ModelProto Functions();

// generated_notes.cpp
onnx::ModelProto Notes();
onnx::ModelProto Attributes();
onnx::ModelProto OddValueInfo();

}  // namespace lathe::test
