#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// eliminate-identity: removes operators that hand their input on. See its description.
const PassDescriptor& EliminateIdentityPass();

}  // namespace lathe::passes
