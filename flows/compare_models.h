// Layer by layer difference of two models of one network: float, fake-quant or deploy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibration.h"
#include "lathe/frontends/data/batches.h"

namespace lathe::flows {

struct LayerDifference {
  // Name of the node in both models, without what deploy and fake-quant models append.
  std::string layer;
  std::string op;
  // As ValueDifference defines them.
  double sqnr_db = 0;
  double cosine = 0;
  double largest = 0;
  // Share of the layer's quantised inputs that are the smallest or the largest integer and not
  // zero; absent where the model does not quantise them.
  std::optional<double> saturated_a;
  std::optional<double> saturated_b;
};

struct ComparedModel {
  const ir::Model& model;
  // For messages.
  std::string path;
};

// Runs both models on all batches and compares what layers of one name give, in the order of `a`.
// Where one model has BatchNormalization behind a layer and the other has none left, the result
// behind it counts. Memory: the compared values of one batch, twice. Errors carry the path of the
// model: other inputs than those of `a`; no layer is in both models; shapes of a layer differ; what
// running finds.
StatusOr<std::vector<LayerDifference>> CompareModels(const ComparedModel& a, const ComparedModel& b,
                                                     const frontends::BatchSource& data,
                                                     eval::Engine& engine,
                                                     const RunControl& control);

}  // namespace lathe::flows
