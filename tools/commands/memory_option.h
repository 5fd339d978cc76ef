// --max-memory, for the commands that calibrate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lathe/support/status.h"
#include "lathe/tools/summary.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lathe::tools {

// Adds --max-memory SIZE; what it is given goes into `text`.
void AddMemoryOption(CLI::App& command, std::optional<std::string>& text);

// "800M", "1.5G", "64k" (units of 1000, as in the summary; also 800MB) or a number of bytes;
// absent: 0, no limit. Error (of usage): anything else, less than a byte, more than an int64
// counts.
StatusOr<uint64_t> ParseMemorySize(const std::optional<std::string>& text);

// "peak_memory_bytes" of the process so far and, with a limit, "max_memory_bytes".
void AddPeakMemory(Json& summary, uint64_t limit);

// "81.2 MB at the peak", with the limit where there is one.
std::string PeakMemoryText(uint64_t limit);

}  // namespace lathe::tools
