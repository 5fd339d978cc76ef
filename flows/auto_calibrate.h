// Quantises a network as far as an accuracy budget allows.
#pragma once

#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/auto_state.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/make_settings.h"
#include "lathe/flows/model_evaluator.h"
#include "lathe/flows/output_paths.h"
#include "lathe/passes/quant/quant_report.h"

namespace lathe::flows {

// Which numbers are good enough.
struct AccuracyBudget {
  // What a candidate may lose against the float model, in the evaluator's own unit.
  double allowed = 0;
  bool lower_is_better = false;

  // What `value` loses against `float_value`; negative where it is better.
  double Loss(double float_value, double value) const {
    return lower_is_better ? value - float_value : float_value - value;
  }
  // A loss that is more than allowed by the last bits of the numbers only is allowed: 0.9 - 0.89 is
  // within 0.01.
  bool Meets(double float_value, double value) const;
};

// The candidate to keep: of those within the budget the one with the fewest float layers; where
// there is none, the one that loses least, then the one with the fewest float layers. Index into
// `candidates`, which are not empty.
size_t ChooseCandidate(const std::vector<MeasuredCandidate>& candidates, double float_value,
                       const AccuracyBudget& budget);

struct AutoRequest {
  ConfigRequest config;
  // Calibrates; batch_num becomes the number of batches given, unless a configuration file says
  // otherwise.
  const frontends::BatchSource* data = nullptr;
  std::string model_path;
  std::string output_prefix;
  AccuracyBudget budget;
  ModelEvaluator evaluator;
  RunControl control;
};

struct AutoSummary {
  OutputPaths paths;
  double float_value = 0;
  bool meets_budget = false;
  // In the order in which they were measured; `chosen` is the one that was saved.
  std::vector<MeasuredCandidate> candidates;
  size_t chosen = 0;
  // How many of them came from an interrupted run.
  size_t resumed = 0;
  // The most sensitive layer first; empty where all layers could be quantised.
  std::vector<LayerSimilarity> ranking;
  std::vector<std::string> quantized;
  std::vector<passes::LeftFloat> left_float;
  std::vector<std::string> notes;
};

// The reference's search (7.11): all layers quantised, then, while the budget is missed, the most
// sensitive layers float, as many as a binary search finds necessary; each candidate calibrated and
// lowered anew and measured on its emitted models. Whenever a candidate is the best so far its
// deploy model, fake-quant model, record and configuration are written, all or none; also when no
// candidate meets the budget. PREFIX_auto_state.json holds what was measured while the job runs and
// after an interruption: the same job then goes on and ends with the same bytes. `loaded` is used
// up. Errors: those of calibrating and of the evaluator; Cancelled says how far it came.
StatusOr<AutoSummary> AutoCalibrate(LoadedModel loaded, const AutoRequest& request,
                                    eval::Engine& engine);

}  // namespace lathe::flows
