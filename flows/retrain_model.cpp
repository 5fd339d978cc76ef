#include "lathe/flows/retrain_model.h"

#include <utility>

#include "lathe/flows/retrain_network.h"

namespace lathe::flows {
namespace {

StatusOr<RetrainNetwork> Configure(LoadedModel loaded, const RetrainRequest& request) {
  RetrainConfigRequest wishes;
  wishes.json_path = request.config_path;
  return ConfigureRetrain(std::move(loaded), wishes, request.search_n, request.model_path);
}

// The network as training left it.
StatusOr<RetrainNetwork> OpenTrained(const RetrainRequest& request) {
  LATHE_ASSIGN_OR_RETURN(LoadedRetrainModel opened, LoadRetrainModel(request.model_path));
  LATHE_ASSIGN_OR_RETURN(RetrainNetwork network, Configure(std::move(opened.loaded), request));
  if (!network.search_n.has_value()) network.search_n = opened.search_n;
  if (!request.checkpoint_path.empty()) {
    LATHE_RETURN_IF_ERROR(ReadStates(network, {request.checkpoint_path, request.state_dict_name}));
    return network;
  }
  if (!opened.constants.has_value()) {
    Status status = WithContext(InvalidInput("the model is no retrain model: nothing was trained"),
                                ErrorContext::kFile, request.model_path);
    return WithContext(std::move(status), ErrorContext::kHint, "give --checkpoint");
  }
  if (Status status = TakeStates(network, *opened.constants); !status.ok()) {
    return WithContext(std::move(status), ErrorContext::kFile, request.model_path);
  }
  return network;
}

}  // namespace

StatusOr<RetrainModel> CreateRetrainModel(const RetrainRequest& request, const RetrainData* data) {
  LATHE_ASSIGN_OR_RETURN(LoadedModel loaded, LoadFloatModel(request.model_path));
  LATHE_ASSIGN_OR_RETURN(RetrainNetwork network, Configure(std::move(loaded), request));
  LATHE_RETURN_IF_ERROR(StartStates(network, data, request.model_path));
  return InsertQuantizers(std::move(network), request.model_path);
}

StatusOr<RetrainModel> RestoreRetrainModel(const RetrainRequest& request) {
  LATHE_ASSIGN_OR_RETURN(RetrainNetwork network, OpenTrained(request));
  return InsertQuantizers(std::move(network), request.model_path);
}

StatusOr<SavedRetrainModel> SaveRetrainModel(const RetrainRequest& request,
                                             const RetrainData* data) {
  LATHE_ASSIGN_OR_RETURN(RetrainNetwork network, OpenTrained(request));
  LATHE_RETURN_IF_ERROR(CheckSearchData(network, data));
  // Where what was trained comes from.
  const std::string& path =
      request.checkpoint_path.empty() ? request.model_path : request.checkpoint_path;
  return LowerRetrained(std::move(network), data, path);
}

}  // namespace lathe::flows
