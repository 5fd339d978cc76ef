// Finds the run of a pass after which a check of the model begins to fail.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "lathe/passes/core/pass_manager.h"

namespace lathe::passes {

struct BisectOptions {
  // A fresh model, the same each time.
  std::function<StatusOr<std::unique_ptr<ir::Model>>()> load;
  // Whether the model is good as the first `runs` runs of passes left it; `last` is the last of
  // them, null when there was none.
  std::function<StatusOr<bool>(const ir::Model& model, size_t runs, const PassReport* last)> check;
  // As in PassManagerOptions.
  std::function<bool()> interrupted;
  std::vector<std::string> assume;
};

// A run of a pass after which the check fails, while it holds before.
struct FirstBadRun {
  // Counted from 1: a fixpoint has as many runs of its passes as rounds.
  size_t number = 0;
  PassReport report;
  // That run alone, and the facts that hold before it.
  Pipeline pipeline;
  FactSet facts;
};

struct BisectResult {
  // Of the whole pipeline.
  size_t runs = 0;
  size_t checks = 0;
  // Empty: the check holds after all of them.
  std::optional<FirstBadRun> first_bad;
  // The model before the first bad run, else after all.
  std::unique_ptr<ir::Model> last_good;
};

// By bisection: 2 + log2(runs) checks, and as many runs of a part of the pipeline. When the check
// fails after some run and holds after a later one, what is found is one of the places where it
// begins to fail. Errors: of a check, of the pipeline; the check fails before the first run.
StatusOr<BisectResult> Bisect(const Pipeline& pipeline, const PassRegistry& registry,
                              const BisectOptions& options, const Resources& resources = {});

}  // namespace lathe::passes
