// A float network of which layers are trained with quantisers: the steps that training alone and
// training of a sparse network share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/flows/choose_retrain_config.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/restore_state.h"
#include "lathe/flows/retrain_model.h"

namespace lathe::flows {

// The network, what of it is trained, and with what state.
struct RetrainNetwork {
  std::unique_ptr<ir::Model> model;
  std::vector<passes::RetrainLayer> layers;
  std::vector<quant::RetrainState> states;
  int64_t batch_num = 1;
  std::optional<quant::SearchNVersion> search_n;
  std::vector<std::string> notes;
};

// All but the states. Errors carry the configuration's file, where there is one, or `path`, the
// model's.
StatusOr<RetrainNetwork> ConfigureRetrain(LoadedModel loaded, const RetrainConfigRequest& wishes,
                                          std::optional<quant::SearchNVersion> search_n,
                                          const std::string& path);

// The states that training starts with: clips as configured, or as found on `data` (may be null).
// Errors carry `path`, the model's.
Status StartStates(RetrainNetwork& network, const RetrainData* data, const std::string& path);

// The states that a retrain model holds itself.
Status TakeStates(RetrainNetwork& network, const passes::QuantizerConstants& constants);

// The states and weights of the checkpoint that the request names, into the network; and masks of
// `sparse` (restore_state.h), which may be null. Errors carry the checkpoint's file.
struct CheckpointRequest {
  std::string path;
  std::optional<std::string> state_dict_name;
};
Status ReadStates(RetrainNetwork& network, const CheckpointRequest& request,
                  SparseState* sparse = nullptr);

// Inserts quantisers, and searchN layers where asked. Errors carry `path`, the model's.
StatusOr<RetrainModel> InsertQuantizers(RetrainNetwork network, const std::string& path);

// An error when searchN layers have no data, or data has no searchN layers.
Status CheckSearchData(const RetrainNetwork& network, const RetrainData* data);

// Fuses and lowers what was trained. Errors carry `path`, from where the states came.
StatusOr<SavedRetrainModel> LowerRetrained(RetrainNetwork network, const RetrainData* data,
                                           const std::string& path);

}  // namespace lathe::flows
