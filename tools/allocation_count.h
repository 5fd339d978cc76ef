// Counts what the process allocates with operator new, which the driver replaces for this.
#pragma once

#include <functional>

#include "lathe/passes/instrument/timing.h"

namespace lathe::tools {

// Counts from now on, on all threads. Empty under a sanitizer, which has operator new for itself.
// Before the first call an allocation costs one look at a flag more than elsewhere.
std::function<passes::AllocationCount()> CountAllocations();

}  // namespace lathe::tools
