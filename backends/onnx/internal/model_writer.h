// ModelProto, GraphProto, FunctionProto, NodeProto and AttributeProto.
#pragma once

#include "lathe/backends/onnx/internal/data_placement.h"
#include "lathe/ir/model.h"
#include "lathe/support/wire_writer.h"

namespace lathe::backends {

// O(structure of the model). Errors: a mapped file was shortened.
StatusOr<WireMessage> WriteModel(const ir::Model& model, DataPlacement& placement);

}  // namespace lathe::backends
