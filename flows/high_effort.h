// Calibration that takes more time than the reference's algorithms and loses less: `lathe quantize
// --effort high`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibrate_model.h"

namespace lathe::flows {

// What was done for one layer.
struct LayerEffort {
  std::string layer;
  // Whether range and balance factors were searched; the next three numbers say what was found.
  bool searched = false;
  float strength = 0;
  float widening = 1;
  // How much smaller the expected error of the layer's output is than with the plain range, in dB.
  double gain_db = 0;
  // Whether its weights were rounded together.
  bool rounded = false;
};

// What cannot be had together with high effort: joint quantisation, whose layers share scales that
// the search would part; a memory limit, as what the search takes is not counted.
Status CheckHighEffort(const quant::QuantSettings& settings, const RunControl& control);

// CalibrateModel with more effort: activation ranges and balance factors by their error on held-out
// samples (SearchRanges), in place of what the settings say about them; then all weights rounded
// together (RoundWeights). All of it is in the record and the weights, so whatever takes those
// takes the gain. What the search does not cover keeps what CalibrateModel found. `efforts` gets
// one entry a layer of the record. `model` is used up. Runs the data at least five times.
StatusOr<CalibratedModel> CalibrateWithHighEffort(std::unique_ptr<ir::Model> model,
                                                  const quant::QuantSettings& settings,
                                                  eval::Engine& engine,
                                                  const frontends::BatchSource& data,
                                                  const RunControl& control,
                                                  std::vector<LayerEffort>& efforts);

}  // namespace lathe::flows
