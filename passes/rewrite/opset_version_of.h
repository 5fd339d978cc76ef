// Which version of its operator set a node is written in.
#pragma once

#include <cstdint>

#include "lathe/ir/model.h"

namespace lathe::passes {

// Of the node's domain, as imported by the model or the function that the node belongs to; 0 when
// it is not imported. O(nesting + imports).
int64_t OpsetVersionOf(const ir::Node& node);

}  // namespace lathe::passes
