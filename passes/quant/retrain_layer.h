// The layers of a graph that quantisation-aware training works on, and what they share.
#pragma once

#include <vector>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/retrain_settings.h"
#include "lathe/support/status.h"

namespace lathe::passes {

struct RetrainLayer {
  QuantLayer layer;
  quant::RetrainLayerSettings settings;
  // The BatchNormalization that is the only user of a Conv: it is trained with the layer and folded
  // into it in the end. Null when there is none.
  ir::Node* batch_norm = nullptr;
  // clip_min stays 0: as configured, or because the activation comes from a Relu.
  bool fixed_min = false;
  // The same of the hidden state of LSTM and GRU.
  bool hidden_fixed_min = false;
  // The layer whose clips this one uses, as a position in the list: its own, or that of the first
  // layer with the same input and the same configuration (the reference's 4.3, step 2). LSTM and
  // GRU, whose hidden states have clips, too, have their own.
  size_t clips_of = 0;
};

// In the order of `settings.layers`, which were resolved for this graph. Errors: a layer that the
// graph does not have; an LSTM or GRU beyond the reference's 3.5, or over more than one time step:
// training knows the hidden state in front of the node only. O(nodes).
StatusOr<std::vector<RetrainLayer>> FindRetrainLayers(const ir::Model& model,
                                                      const quant::RetrainSettings& settings);

}  // namespace lathe::passes
