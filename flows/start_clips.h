// Where the learned ranges of activations start (the reference's 7.7).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/run_batches.h"
#include "lathe/ir/model.h"
#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/quant/retrain.h"

namespace lathe::flows {

struct StartClips {
  // For each layer; nothing where the configuration gives its clips, or data gave none.
  std::vector<std::optional<quant::Clips>> clips;
  // The same of the hidden states of LSTM and GRU.
  std::vector<std::optional<quant::Clips>> hidden_clips;
  std::vector<std::string> notes;
};

// The ranges that IFMR finds with its defaults and without an offset on the inputs of the layers of
// the float network (of LSTM and GRU also initial_h) over `batch_num` batches. (The reference
// observes the network in training, in front of whose layers quantisers stand that were just
// found.) Layers that share their clips get the same. Layers in bodies get none. Errors: fewer
// batches; the run's.
StatusOr<StartClips> FindStartClips(const ir::Model& model,
                                    const std::vector<passes::RetrainLayer>& layers,
                                    int64_t batch_num, eval::Engine& engine,
                                    const frontends::BatchSource& data, const RunControl& control);

}  // namespace lathe::flows
