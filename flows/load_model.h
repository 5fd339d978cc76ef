// Reading a model for quantisation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::flows {

struct LoadedModel {
  std::unique_ptr<ir::Model> model;
  // Sentences for the summary: what was changed to make the model fit.
  std::vector<std::string> notes;
};

// Reads a float model and prepares it (pipeline kPreparePipeline); its operator set is brought into
// 11 to 22, the range of emitted models. Errors, besides those of reading: the model is quantised
// already (the hint names the command that fits); an operator that the conversion of the operator
// set cannot express.
StatusOr<LoadedModel> LoadFloatModel(const std::string& path);
// The same for a model that was read already; `path` is for messages and may be empty.
StatusOr<LoadedModel> PrepareFloatModel(std::unique_ptr<ir::Model> model, const std::string& path);

// Reads a model for lowering: a modified model, or a fused float model. Errors: the model is
// quantised in another form.
StatusOr<std::unique_ptr<ir::Model>> LoadModifiedModel(const std::string& path);
// The same for a model that was read already; `path` is for messages and may be empty.
StatusOr<std::unique_ptr<ir::Model>> PrepareModifiedModel(std::unique_ptr<ir::Model> model,
                                                          const std::string& path);

}  // namespace lathe::flows
