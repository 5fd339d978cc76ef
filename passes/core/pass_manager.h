// Runs a pipeline on a model.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/fact_table.h"
#include "lathe/passes/core/pipeline.h"
#include "lathe/passes/core/report.h"

namespace lathe::passes {

// A moment between passes, for hooks.
struct PassPoint {
  std::string_view position;
  std::string_view pass;
  const ir::Model& model;
  // After a pass: whether it changed something.
  bool changed = false;
};

struct PassManagerOptions {
  // Checks the model before the first pass and after each one; empty: no checks.
  std::function<Status(const ir::Model&)> verify;
  // Called around each pass; an error stops the run. Empty: not called.
  std::function<Status(const PassPoint&)> before_pass;
  std::function<Status(const PassPoint&)> after_pass;
  // Polled between passes; true stops the run with a cancelled status. Empty: never.
  std::function<bool()> interrupted;
  // Facts that hold whether or not the model shows it.
  std::vector<std::string> assume;
};

class PassManager {
 public:
  // Checks that the passes can run in this order: what each requires is established by an earlier
  // one and preserved since, or holds for the model, or is assumed. Errors: it is not (naming the
  // fact and the passes that establish it); an assumed fact that nobody knows. O(passes), and
  // O(nodes) for each fact looked for in the model. Model and registry must outlive the manager.
  static StatusOr<PassManager> Build(const Pipeline& pipeline, const PassRegistry& registry,
                                     ir::Model& model, PassManagerOptions options = {});

  // Runs the passes. A failure carries the name of the pass; the model is then as the pass left it.
  // At the end the facts that a graph does not show are written into the model's metadata.
  StatusOr<PipelineReport> Run(const Resources& resources = {});

 private:
  struct Step {
    std::string position;
    const PassDescriptor* pass = nullptr;
    OptionValues options;
  };

  // How a fact stands at some place of the pipeline.
  struct Standing {
    bool holds = false;
    // The pass that took it away; null when it never held.
    const Step* lost_at = nullptr;
  };

  PassManager(ir::Model& model, PassManagerOptions options)
      : model_(&model), options_(std::move(options)) {}

  void Flatten(const std::vector<PipelineItem>& items, const std::string& prefix);
  Status CheckAssumed(const PassRegistry& registry) const;
  Standing StandingBefore(size_t index, std::string_view fact) const;
  Status CheckOrder(const PassRegistry& registry) const;
  Status RunStep(const Step& step, ir::Rewriter& rewriter, const Resources& resources,
                 PassReport& report);

  ir::Model* model_;
  PassManagerOptions options_;
  std::vector<Step> steps_;
};

// Parses, builds and runs in one go.
StatusOr<PipelineReport> RunPipeline(ir::Model& model, std::string_view pipeline,
                                     const PassRegistry& registry, const Resources& resources = {},
                                     PassManagerOptions options = {});

}  // namespace lathe::passes
