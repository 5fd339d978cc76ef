// Activation ranges and balance factors of a network by held-out error (quant/held_out_search.h).
#pragma once

#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibration.h"
#include "lathe/quant/held_out_search.h"

namespace lathe::flows {

struct LayerRange {
  std::string layer;
  quant::HeldOutSearch::Choice choice;
};

// `fused` is the float network, fused as calibration does it. Runs batch_num batches twice; the
// samples of all batches are dealt into folds in turn. For each layer of the settings with a weight
// and with activations of at most 8 bits, in graph order; not for LSTM and GRU, layers inside of
// bodies, and layers whose input is not finite, constant or too small. Memory does not grow with
// the number of batches.
StatusOr<std::vector<LayerRange>> SearchRanges(const ir::Model& fused,
                                               const quant::QuantSettings& settings,
                                               eval::Engine& engine,
                                               const frontends::BatchSource& data,
                                               const RunControl& control);

}  // namespace lathe::flows
