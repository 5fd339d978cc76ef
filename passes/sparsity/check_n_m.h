#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// check-n-m: proves that weights follow an N:M pattern. See its description.
const PassDescriptor& CheckNmPass();

}  // namespace lathe::passes
