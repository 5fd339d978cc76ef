// `lathe opt --bisect CMD`: the first run of a pass after which a check fails.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lathe/passes/core/bisect.h"

namespace lathe::tools {

struct BisectRequest {
  // See CheckHolds.
  std::string command;
  // Where to leave the pass and the model before it.
  std::string reproducer;
  // Where to write the last good model; empty: nowhere.
  std::string output;
  bool json = false;
  bool verbose = false;
};

// Prints what it finds; finding nothing is no error. Those are: of the pipeline, of the command;
// the check fails before the first pass; a file cannot be written.
Status RunBisect(const BisectRequest& request, const passes::Pipeline& pipeline,
                 const passes::PassRegistry& registry, const std::vector<std::string>& assume,
                 std::function<StatusOr<std::unique_ptr<ir::Model>>()> load);

}  // namespace lathe::tools
