// A body of If, Loop or Scan as a model of its own.
#pragma once

#include <memory>

#include "lathe/ir/model.h"

namespace lathe::ir {

// The inputs are the body's, then its captures, in order, but for those that are constants, which
// become initializers; the outputs are the body's. Tensors are shared. O(size of the body and of
// the model's names and functions).
std::unique_ptr<Model> CloneBody(const Graph& body);

}  // namespace lathe::ir
