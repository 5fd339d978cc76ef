// How sensitive each layer is to quantisation.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibrate_model.h"

namespace lathe::flows {

// The reference's measure (7.11): 0.5 + 0.5 cos of the angle between the two; 1 where the original
// is all zero, else 0 where only the other is. 0 too where a value is NaN or infinite. Both have
// the same size.
double OutputSimilarity(std::span<const float> original, std::span<const float> quantized);

struct LayerSimilarity {
  std::string layer;
  // Mean over the batches of OutputSimilarity of the layer's outputs, the layer alone quantised.
  double similarity = 1;
};

// Ranks the layers of the calibrated record on the first batch_num batches. `model` is the float
// network as it was before calibration. Returns the most sensitive layer first; among equals the
// order of the graph. A branch of an If that is not taken changes nothing in that batch.
StatusOr<std::vector<LayerSimilarity>> RankLayers(
    const ir::Model& model, const quant::QuantSettings& settings, const CalibratedModel& calibrated,
    eval::Engine& engine, const frontends::BatchSource& data, const RunControl& control);

}  // namespace lathe::flows
