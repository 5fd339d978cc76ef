// Makes a network sparse: as a configuration asks, or as a record says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/sparsity/channel_flow.h"
#include "lathe/passes/sparsity/sparse_weight.h"
#include "lathe/quant/config/prune_settings.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::flows {

struct SparsityReport {
  // Groups of channels that go together, and output channels of layers in them.
  size_t groups = 0;
  int64_t channels = 0;
  int64_t pruned = 0;
  // Layers whose single weights are pruned.
  size_t masked_layers = 0;
  // Layers that were to lose channels and lose none: why.
  std::vector<std::string> left;
};

// Chooses channels and takes them out, makes the masks of what is left, and writes both into
// `record`. `model` is a prepared float model (load_model.h). O(nodes + weights).
StatusOr<SparsityReport> SparsifyAsConfigured(ir::Model& model,
                                              const quant::PruneSettings& settings,
                                              passes::PruneReach reach, quant::Record& record);

// Takes the channels out that the record names, unless they are. Errors: prune-channels'.
StatusOr<SparsityReport> SparsifyAsRecorded(ir::Model& model, const quant::Record& record);

// The sparse layers of a model from which the channels are out. Errors: the record's masks are not
// those of the layers that the configuration prunes; FindSparseLayers'.
StatusOr<std::vector<passes::SparseLayer>> FindRecordedMasks(const ir::Model& model,
                                                             const quant::PruneSettings& settings,
                                                             const quant::Record& record);

// Once the trained weights are in: where training ended with another mask than the record's, that
// one counts, unless the record's is the mask of the weights as they are and training renews masks
// (update_freq): then the record was written after the checkpoint. Brings the record's entries up
// to date, and returns a note for each layer whose mask was not to change. Error: a trained mask of
// another size.
StatusOr<std::vector<std::string>> AdoptTrainedMasks(const passes::MasksByLayer& trained,
                                                     const quant::PruneSettings& settings,
                                                     std::vector<passes::SparseLayer>& layers,
                                                     quant::Record& record);

// Makes the masked weights of a model zero, and proves the pattern of each layer.
Status ApplyMasks(ir::Model& model, const quant::PruneSettings& settings, quant::Record& record);
// Proves it (again).
Status CheckPatterns(ir::Model& model, const quant::PruneSettings& settings);

}  // namespace lathe::flows
