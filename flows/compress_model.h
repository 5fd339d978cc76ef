// Pruning, and pruning together with quantisation-aware training: the reference's create, restore
// and save of prune_retrain_model and compressed_retrain_model on files.
//
// One order holds everywhere: channels go, then weights are masked, then quantisers are inserted,
// then searchN layers (the pipelines' facts refuse another, passes/pipelines/sparsity.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/flows/retrain_model.h"
#include "lathe/flows/sparsify.h"

namespace lathe::flows {

struct CompressRequest {
  // The simplified configuration is of pruning alone.
  bool only_prunes = false;
  // To create: the float network. To restore and save: that, or what one of them made.
  std::string model_path;
  std::string cfg_path;
  // To restore and save: what to prune.
  std::string record_path;
  // To restore and save: what training saved. Empty: the model holds it itself.
  std::string checkpoint_path;
  std::optional<std::string> state_dict_name;
  std::optional<quant::SearchNVersion> search_n;
  // To create.
  passes::PruneReach reach = passes::PruneReach::kReference;
};

struct CompressedModel {
  std::unique_ptr<ir::Model> model;
  // Without factors: they are found when the network was trained.
  quant::Record record;
  SparsityReport sparsity;
  // Layers with quantisers.
  std::vector<std::string> layers;
  std::vector<std::string> notes;
};

// The network without the channels that the configuration prunes, with Mul(weight, mask) in front
// of layers whose single weights it prunes, and with quantisers and searchN layers where it asks
// for them (retrain_model.h). Errors carry the file that is wrong.
StatusOr<CompressedModel> CreateCompressedModel(const CompressRequest& request,
                                                const RetrainData* data = nullptr);

// The same, pruned as the record says, as training left it.
StatusOr<CompressedModel> RestoreCompressedModel(const CompressRequest& request);

struct SavedCompressedModel {
  SavedModels models;
  // The record with factors, where there are quantisers.
  quant::Record record;
  // It is another than the one that was read.
  bool record_changed = false;
  SparsityReport sparsity;
  std::vector<std::string> notes;
};

// The trained network for deployment. Without quantisers both models are the float network with
// BatchNormalization folded. Patterns of masked weights are proved. Errors as above.
StatusOr<SavedCompressedModel> SaveCompressedModel(const CompressRequest& request,
                                                   const RetrainData* data = nullptr);

}  // namespace lathe::flows
