// Checks nodes against the schemas of their operators.
#pragma once

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::ir {

// Every node whose operator is known has as many inputs and outputs as its schema allows, the
// required ones among them, and the required attributes. Operators that are unknown, or are local
// functions, pass. The error names the node. O(nodes).
Status VerifyOperators(const Model& model);

}  // namespace lathe::ir
