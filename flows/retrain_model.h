// Quantisation-aware training: the reference's create, restore and save_quant_retrain_model on
// files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/flows/save_model.h"
#include "lathe/ir/model.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::flows {

struct RetrainRequest {
  // To create: the float network. To restore and save: that, or a retrain model.
  std::string model_path;
  std::string config_path;
  // To restore and save: what training saved. Empty: a retrain model holds it itself.
  std::string checkpoint_path;
  // The key of the state in the checkpoint; absent: the checkpoint is the state.
  std::optional<std::string> state_dict_name;
};

struct RetrainModel {
  std::unique_ptr<ir::Model> model;
  // Layers with quantisers.
  std::vector<std::string> layers;
  std::vector<std::string> notes;
};

// The network with quantisers in front of its layers (passes/quant/insert_retrain.h). Clips start
// as configured, else at 1 and -1; learned weight scales at ARQ's. Errors carry the file that is
// wrong; a model that is quantised, or a retrain model, already.
StatusOr<RetrainModel> CreateRetrainModel(const RetrainRequest& request);

// The same as training left it. Errors besides: keys of the checkpoint that do not match, all
// listed; no checkpoint, and the model is no retrain model of that configuration.
StatusOr<RetrainModel> RestoreRetrainModel(const RetrainRequest& request);

struct SavedRetrainModel {
  SavedModels models;
  quant::Record record;
  std::vector<std::string> notes;
};

// The trained network for deployment: quantisers become factors, BatchNormalization is folded, the
// rest is LowerModel's. Errors as above, and clips or weights that are not finite.
StatusOr<SavedRetrainModel> SaveRetrainModel(const RetrainRequest& request);

}  // namespace lathe::flows
