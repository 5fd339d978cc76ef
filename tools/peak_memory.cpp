#include "lathe/tools/peak_memory.h"

#include <fstream>
#include <string>

#include <sys/resource.h>

namespace lathe::tools {

uint64_t PeakMemoryBytes() {
  // The system's resource usage begins before the program: it also knows how large the process was
  // that started it.
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace lathe::tools
