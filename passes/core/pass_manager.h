// Runs a pipeline on a model.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/observer.h"
#include "lathe/passes/core/pipeline.h"
#include "lathe/passes/core/report.h"

namespace lathe::passes {

struct PassManagerOptions {
  // Called in this order before a pass or group and in the opposite order after it, so that the
  // last is nearest to the pass; they must outlive the run.
  std::vector<PassObserver*> observers;
  // Polled between passes; true stops the run with a cancelled status. Empty: never.
  std::function<bool()> interrupted;
  // Facts that hold whether or not the model shows it.
  std::vector<std::string> assume;
  // Stop after so many runs of passes: the rest is left out. Empty: run them all.
  std::optional<size_t> most_runs;
};

class PassManager {
 public:
  // Checks that the passes can run in this order: what each requires is established by an earlier
  // one and preserved since, or holds for the model, or is assumed. Errors: it is not (naming the
  // fact and the passes that establish it); an assumed fact that nobody knows. O(passes), and
  // O(nodes) for each fact looked for in the model. Model and registry must outlive the manager.
  static StatusOr<PassManager> Build(Pipeline pipeline, const PassRegistry& registry,
                                     ir::Model& model, PassManagerOptions options = {});

  // Runs the passes. A failure of a pass carries its name; the model is then as the pass left it.
  // At the end the facts that a graph does not show are written into the model's metadata. A
  // fixpoint that still changes something after its last round gets a remark in the report of the
  // last pass that did.
  StatusOr<PipelineReport> Run(const Resources& resources = {});

 private:
  // A pass at a place of the pipeline.
  struct Step {
    std::string position;
    const PassDescriptor* pass = nullptr;
  };
  struct State;

  PassManager(Pipeline pipeline, ir::Model& model, PassManagerOptions options)
      : pipeline_(std::move(pipeline)), model_(&model), options_(std::move(options)) {}

  Status CheckAssumed(const PassRegistry& registry) const;
  Status CheckOrder(const PassRegistry& registry) const;

  Status RunObserved(State& state) const;
  // Each returns whether anything changed.
  StatusOr<bool> RunItems(const std::vector<PipelineItem>& items, const std::string& prefix,
                          State& state) const;
  StatusOr<bool> RunItem(const PipelineItem& item, const std::string& position, State& state) const;
  StatusOr<bool> RunGroup(const PipelineItem& group, const std::string& position,
                          State& state) const;
  StatusOr<bool> RunFixpoint(const PipelineItem& group, const std::string& position,
                             State& state) const;
  StatusOr<bool> RunPass(const PipelineItem& item, const std::string& position, State& state) const;

  Pipeline pipeline_;
  ir::Model* model_;
  PassManagerOptions options_;
};

// Parses, builds and runs in one go.
StatusOr<PipelineReport> RunPipeline(ir::Model& model, std::string_view pipeline,
                                     const PassRegistry& registry, const Resources& resources = {},
                                     PassManagerOptions options = {});

}  // namespace lathe::passes
