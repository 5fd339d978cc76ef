// Weights of a calibrated network rounded together (quant/second_order_rounding.h) instead of each
// to nearest.
#pragma once

#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibrate_model.h"

namespace lathe::flows {

// `fused` is the float network, fused as calibration did it. The weights of `calibrated.fused`
// become what their integers stand for; a bias of one value a channel makes up for the mean of what
// that changes. Returns the names of the layers, in graph order. Left alone are LSTM and GRU,
// layers inside of bodies, Conv and ConvTranspose of other than two axes, weights of more than two
// axes in MatMul, patches of more than 4608 weights, and layers whose weights AdaRound learnt.
//
// Runs batch_num batches once for each 256 MB that the layers' moments take. Memory: those and the
// inputs of a few layers.
StatusOr<std::vector<std::string>> RoundWeights(CalibratedModel& calibrated, const ir::Model& fused,
                                                const quant::QuantSettings& settings,
                                                eval::Engine& engine,
                                                const frontends::BatchSource& data,
                                                const RunControl& control);

}  // namespace lathe::flows
