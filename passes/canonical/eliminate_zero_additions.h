#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// eliminate-zero-additions: removes additions of zero where nothing can tell. See its description.
const PassDescriptor& EliminateZeroAdditionsPass();

}  // namespace lathe::passes
