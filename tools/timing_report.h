// The timing tree of a run for people and for other programs.
#pragma once

#include "lathe/passes/instrument/timing.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {

// A table, passes of a group below it and further in.
void PrintTiming(const passes::TimingNode& tree);

// {"position", "name", "start", "wall", "cpu", "allocations", "allocated_bytes", "peak_bytes",
// "children"}; seconds; what is not known is left out.
Json TimingJson(const passes::TimingNode& tree);

// The trace event format that chrome://tracing and Perfetto open.
Json TimingTrace(const passes::TimingNode& tree);

}  // namespace lathe::tools
