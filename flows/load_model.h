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

// Which form of a quantised model this is, as a clause ("it is a deploy model: ..."), with the
// command that fits; empty for a float model. O(nodes).
struct QuantizedForm {
  std::string what;
  std::string hint;
};
QuantizedForm RecognizeQuantizedForm(const ir::Model& model);

}  // namespace lathe::flows
