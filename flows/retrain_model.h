// Quantisation-aware training: the reference's create, restore and save_quant_retrain_model on
// files.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/run_batches.h"
#include "lathe/flows/save_model.h"
#include "lathe/frontends/data/batches.h"
#include "lathe/ir/model.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/search_n.h"
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
  // Whether layers get searchN layers; absent: as in the retrain model that is given, else not.
  std::optional<quant::SearchNVersion> search_n;
};

// Data, where a flow looks at some: the configuration's batch_num batches of it.
struct RetrainData {
  // Opens it for the inputs of the network.
  std::function<StatusOr<std::unique_ptr<frontends::BatchSource>>(const ir::Model&)> open;
  eval::Engine* engine = nullptr;
  RunControl control;
};

struct RetrainModel {
  std::unique_ptr<ir::Model> model;
  // Layers with quantisers.
  std::vector<std::string> layers;
  std::vector<std::string> notes;
};

// The network with quantisers in front of its layers (passes/quant/insert_retrain.h), and searchN
// layers behind them where asked (passes/searchn/search_n_layers.h). Clips start as configured,
// else where IFMR finds them on `data` (start_clips.h), or, without data, at 1 and -1; learned
// weight scales at ARQ's. Errors carry the file that is wrong; a model that is quantised, or a
// retrain model, already; fewer batches than the configuration asks for.
StatusOr<RetrainModel> CreateRetrainModel(const RetrainRequest& request,
                                          const RetrainData* data = nullptr);

// The same as training left it. Errors besides: keys of the checkpoint that do not match, all
// listed; no checkpoint, and the model is no retrain model of that configuration.
StatusOr<RetrainModel> RestoreRetrainModel(const RetrainRequest& request);

struct SavedRetrainModel {
  SavedModels models;
  quant::Record record;
  std::vector<std::string> notes;
};

// The trained network for deployment: quantisers become factors, BatchNormalization is folded,
// shifts are searched on `data` where there are searchN layers (retrain_shifts.h), the rest is
// LowerModel's. Errors as above; clips or weights that are not finite; searchN layers without data,
// and data without searchN layers.
StatusOr<SavedRetrainModel> SaveRetrainModel(const RetrainRequest& request,
                                             const RetrainData* data = nullptr);

}  // namespace lathe::flows
