// What a checkpoint holds, as `lathe inspect` shows it.
#pragma once

#include "lathe/frontends/checkpoint/checkpoint.h"

namespace lathe::tools {

// On standard output: its form, and each state dict with its tensors and other entries; as a JSON
// object or as tables.
void PrintCheckpoint(const frontends::Checkpoint& checkpoint, bool json);

}  // namespace lathe::tools
