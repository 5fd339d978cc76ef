// From a training checkpoint into a model.
#pragma once

#include <string>
#include <vector>

#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/ir/model.h"
#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/passes/sparsity/sparse_weight.h"
#include "lathe/quant/retrain.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// Layers whose weights are pruned one by one.
struct SparseState {
  std::vector<std::string> layers;
  // Of those whose mask the checkpoint holds, in the order of the weight in the graph.
  passes::MasksByLayer masks;
};

// Gives the model the weights, biases and statistics of the checkpoint, by the reference's keys
// (its 2.8), and returns what it holds of each of `layers`. Weights that are sparse are masked;
// those of layers in `sparse` are not, and their masks are handed out instead. What the reference
// computes anew (scales of the last evaluation, counters) is not read. Errors: keys that are
// missing, that no parameter has, or whose tensors have another shape, all listed.
StatusOr<std::vector<quant::RetrainState>> RestoreState(
    ir::Model& model, const std::vector<passes::RetrainLayer>& layers,
    const frontends::StateDict& dict, SparseState* sparse = nullptr);

}  // namespace lathe::flows
