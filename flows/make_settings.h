// From a user's wishes to the settings of each layer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/quant/quant_report.h"
#include "lathe/quant/config/create_ptq_config.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// How a configuration comes about: from a JSON file, from JSON in memory, from a simplified .cfg,
// or from options (in this order; giving several of the first three is an error).
struct ConfigRequest {
  std::string json_path;
  std::string json_text;
  std::string cfg_path;
  quant::PtqOptions options;
};

struct ChosenConfig {
  quant::PtqConfig config;
  quant::QuantSettings settings;
  // What was changed because a layer cannot do it.
  std::vector<std::string> notes;
  // Layers that could be quantised in principle but are not, and why; also those of `skip_layers`.
  passes::QuantReport report;
};

// The model's layers are those of a loaded model (load_model.h). Errors carry the configuration's
// file.
StatusOr<ChosenConfig> ChooseConfig(const ir::Model& model, const ConfigRequest& request);

}  // namespace lathe::flows
