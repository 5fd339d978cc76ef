// What judges a candidate.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/fidelity.h"

namespace lathe::flows {

struct ModelEvaluator {
  // Says what is measured: a resumed job takes over numbers of the same identity only.
  std::string identity;
  // Sentences for the summary.
  std::vector<std::string> notes;
  // One finite number for the two emitted models of a candidate, given as files; for the float
  // network both are the float model's file. The same files must give the same number.
  std::function<StatusOr<double>(const std::string& deploy, const std::string& fake_quant)> measure;
};

// The share of samples that the deploy model classifies as the labels say, executed by `engine`.
// Everything given must outlive the evaluator. Errors, before anything runs: those of CheckLabels;
// all samples of a batch of `evaluation` are samples of `calibration`: what was calibrated on says
// nothing. Fewer are counted in a note.
StatusOr<ModelEvaluator> MakeLabelEvaluator(const ir::Model& model, const Labels& labels,
                                            const frontends::BatchSource& evaluation,
                                            const frontends::BatchSource& calibration,
                                            eval::Engine& engine, const RunControl& control);

}  // namespace lathe::flows
