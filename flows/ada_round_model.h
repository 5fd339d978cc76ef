// AdaRound over a network: the weights of layers with ada_quantize, one layer after the other (the
// reference's 7.6).
#pragma once

#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/calibration.h"

namespace lathe::flows {

struct RoundedWeight {
  std::string layer;
  // In the layout of the model, between integers where rounding stayed undecided.
  ir::Tensor weight;
};

// `observed` is marked, balanced and has its weights rounded (fake-quantize-weights), with the
// scales of ada layers in `record`; `floats` is the same network with float weights, and `balanced`
// with float weights after balancing. Each layer with ada_quantize, in graph order, learns from the
// first batch to give with rounded weights what the float network gives there, its activation
// included, while its input comes from the layers before it as they are rounded by then. The
// weights of `observed` become the learnt ones.
//
// Runs both networks up to each layer once; holds one layer's input and output of the batch and
// eight floats a weight of it. More than 32 samples are drawn from, 32 an iteration, by a generator
// that starts from the layer's place. Errors: the loss is not finite; a layer whose geometry is not
// understood.
StatusOr<std::vector<RoundedWeight>> AdaRoundModel(
    ir::Model& observed, const ir::Model& balanced, const ir::Model& floats,
    const quant::QuantSettings& settings, const quant::Record& record, eval::Engine& engine,
    const frontends::BatchSource& data, const RunControl& control);

}  // namespace lathe::flows
