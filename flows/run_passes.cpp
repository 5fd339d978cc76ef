#include "lathe/flows/run_passes.h"

#include "lathe/passes/core/pass_manager.h"
#include "lathe/passes/pipelines/all_passes.h"

namespace lathe::flows {

StatusOr<passes::PipelineReport> RunPasses(ir::Model& model, std::string_view pipeline,
                                           const passes::Resources& resources,
                                           std::vector<std::string> assume) {
  passes::PassRegistry registry;
  LATHE_RETURN_IF_ERROR(passes::RegisterAllPasses(registry));
  passes::PassManagerOptions options;
  options.assume = std::move(assume);
  return passes::RunPipeline(model, pipeline, registry, resources, std::move(options));
}

}  // namespace lathe::flows
