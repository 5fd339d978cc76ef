#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// merge-casts: one Cast for several in a row. See its description.
const PassDescriptor& MergeCastsPass();

}  // namespace lathe::passes
