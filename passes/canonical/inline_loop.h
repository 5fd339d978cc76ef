#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// inline-loop: puts the body of a Loop that runs once or never in its place. See its description.
const PassDescriptor& InlineLoopPass();

}  // namespace lathe::passes
