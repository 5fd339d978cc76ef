#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// inline-if: puts the branch of an If with a constant condition in its place. See its description.
const PassDescriptor& InlineIfPass();

}  // namespace lathe::passes
