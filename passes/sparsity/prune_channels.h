#pragma once

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// prune-channels: takes the channels out that a record names. See its description.
const PassDescriptor& PruneChannelsPass();

}  // namespace lathe::passes
