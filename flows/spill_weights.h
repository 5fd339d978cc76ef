// Large weights on disk instead of in memory.
#pragma once

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// Moves the large weights of all layers of `model` into a file without a name in the system's
// folder for temporary files, which is gone when the last of them is. Their pages leave memory like
// those of the float model's file (support/mapped_pages.h). O(size of the weights). Errors: the
// system refuses; the model is unchanged.
Status SpillWeights(ir::Model& model);

}  // namespace lathe::flows
