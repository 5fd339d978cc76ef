// Nodes by what users call them.
#pragma once

#include <string_view>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// The first node of the model with the name, else the first that stands for an original node of
// that name, else the node that computes a value of that name. Errors: there is none; the nearest
// names. O(nodes).
StatusOr<ir::Node*> FindNode(const ir::Model& model, std::string_view name);

}  // namespace lathe::passes
