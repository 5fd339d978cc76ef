#include "lathe/tools/peak_memory.h"

#include <sys/resource.h>

namespace lathe::tools {

uint64_t PeakMemoryBytes() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace lathe::tools
