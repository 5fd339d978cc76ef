// Layers beside quantised copies of themselves, in one graph.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/flows/calibrate_model.h"

namespace lathe::flows {

struct TwinnedLayer {
  std::string layer;
  // Values of TwinnedModel::model that hold what the layer and its twin compute.
  const ir::Value* original = nullptr;
  const ir::Value* quantized = nullptr;
};

struct TwinnedModel {
  std::unique_ptr<ir::Model> model;
  std::vector<TwinnedLayer> layers;
};

// `fused` is the float network, fused as calibration did it. Each layer of the calibrated record
// gets a fake-quantised twin that reads the layer's own float input, so one run shows what
// quantising that layer alone does to its output. What layers inside bodies give is led out into
// the main graph. O(model); weights are shared where they are equal.
StatusOr<TwinnedModel> MakeTwins(std::unique_ptr<ir::Model> fused,
                                 const CalibratedModel& calibrated);

}  // namespace lathe::flows
