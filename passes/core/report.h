// What happened in a run of a pipeline.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lathe/passes/core/remark.h"

namespace lathe::passes {

struct PassReport {
  // Where the pass stands in the pipeline: "2", or "3.1" for the first of a phase. A pass used
  // twice has two reports.
  std::string position;
  std::string pass;
  bool changed = false;
  // Wall time of the pass alone.
  double seconds = 0;
  // One a statistic of the descriptor, in its order.
  std::vector<std::pair<std::string, int64_t>> statistics;
  std::vector<Remark> remarks;
};

struct PipelineReport {
  bool changed = false;
  std::vector<PassReport> passes;
};

}  // namespace lathe::passes
