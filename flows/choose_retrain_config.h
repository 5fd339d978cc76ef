// From a user's wishes to what training does with each layer.
#pragma once

#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/quant/config/amct_retrain_config.h"
#include "lathe/quant/config/retrain_settings.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// From a JSON file, from a simplified .cfg, or from options (in this order; giving both files is an
// error).
struct RetrainConfigRequest {
  std::string json_path;
  std::string cfg_path;
  quant::AmctRetrainConfig options;
};

struct ChosenRetrainConfig {
  quant::RetrainConfig config;
  quant::RetrainSettings settings;
  // What was changed because a layer cannot do it.
  std::vector<std::string> notes;
};

// The model's layers are those of a loaded model (load_model.h). Errors carry the configuration's
// file.
StatusOr<ChosenRetrainConfig> ChooseRetrainConfig(const ir::Model& model,
                                                  const RetrainConfigRequest& request);

}  // namespace lathe::flows
