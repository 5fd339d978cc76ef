#pragma once

#include <cstdint>

namespace lathe::tools {

// The largest resident memory that this process had so far, mapped files included.
uint64_t PeakMemoryBytes();

}  // namespace lathe::tools
