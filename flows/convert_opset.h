// Brings a model to another version of ONNX's operator set.
#pragma once

#include <memory>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// A new model; weights are shared with the old one. Origins are the nodes' names, so the model
// should have been through name-nodes. Errors: an operator that cannot be converted, by its name.
StatusOr<std::unique_ptr<ir::Model>> ConvertOpset(const ir::Model& model, int64_t target);

}  // namespace lathe::flows
