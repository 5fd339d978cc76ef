#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-concats: one Concat for a tree of them. See its description.
const PassDescriptor& MergeConcatsPass();

}  // namespace lathe::passes
