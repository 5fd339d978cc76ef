// Runs one of the built-in pipelines inside a flow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/core/report.h"
#include "lathe/passes/core/resources.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// Facts in `assume` hold because of what the flow did itself.
StatusOr<passes::PipelineReport> RunPasses(ir::Model& model, std::string_view pipeline,
                                           const passes::Resources& resources = {},
                                           std::vector<std::string> assume = {});

}  // namespace lathe::flows
