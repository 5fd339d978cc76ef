// Runs one pass in a test, with the verifier before and after, and a check that it tells the truth
// about whether it changed something.
#pragma once

#include <gtest/gtest.h>

#include "lathe/passes/core/pass_manager.h"
#include "lathe/passes/instrument/check_changed.h"
#include "lathe/passes/instrument/verify_each.h"
#include "lathe/passes/pipelines/all_passes.h"

namespace lathe::passes {

// Runs a pipeline whose passes need resources; facts in `assume` are taken for granted.
inline StatusOr<PipelineReport> RunWith(ir::Model& model, std::string_view pipeline,
                                        const Resources& resources,
                                        std::vector<std::string> assume = {}) {
  PassRegistry registry;
  EXPECT_TRUE(RegisterAllPasses(registry).ok());
  PassManagerOptions options;
  CheckChanged check_changed;
  VerifyEach verify;
  options.observers = {&check_changed, &verify};
  options.assume = std::move(assume);
  return RunPipeline(model, pipeline, registry, resources, options);
}

// The pass's report; a failure fails the test.
inline PassReport RunPass(ir::Model& model, std::string_view pass) {
  const StatusOr<PipelineReport> report = RunWith(model, pass, {});
  EXPECT_TRUE(report.ok()) << FormatError(report.status());
  if (!report.ok() || report->passes.empty()) return {};
  return report->passes.front();
}

inline int64_t Statistic(const PassReport& report, std::string_view name) {
  for (const auto& [key, count] : report.statistics) {
    if (key == name) return count;
  }
  ADD_FAILURE() << "no statistic " << name;
  return -1;
}

}  // namespace lathe::passes
