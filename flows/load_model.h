// Reading a model for quantisation.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/quant/absorb_qdq.h"
#include "lathe/passes/quant/remove_retrain.h"
#include "lathe/passes/sparsity/sparse_weight.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/search_n.h"
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

// The same of a model that may be a retrain model (passes/quant/insert_retrain.h), whose quantisers
// are taken out.
struct LoadedRetrainModel {
  LoadedModel loaded;
  // What the quantisers had learned, by the names of its constants; nothing of a float model.
  std::optional<passes::QuantizerConstants> constants;
  // Of its searchN layers, which are taken out, too.
  std::optional<quant::SearchNVersion> search_n;
};
// With `masks`, products of weights and masks (passes/sparsity/sparse_weight.h) are taken out, too,
// and handed out; else they become part of the weights.
StatusOr<LoadedRetrainModel> LoadRetrainModel(const std::string& path,
                                              passes::MasksByLayer* masks = nullptr);

// The same of a QDQ model, whose pairs become factors in `record` (passes/quant/absorb_qdq.h);
// pairs that belong to no layer stay. Errors besides: a model in another form.
struct LoadedQdqModel {
  LoadedModel loaded;
  quant::Record record;
  passes::QdqReport report;
};
StatusOr<LoadedQdqModel> LoadQdqModel(const std::string& path);

// Reads a model for lowering: a modified model, or a fused float model. Errors: the model is
// quantised in another form.
StatusOr<std::unique_ptr<ir::Model>> LoadModifiedModel(const std::string& path);
// The same for a model that was read already; `path` is for messages and may be empty.
StatusOr<std::unique_ptr<ir::Model>> PrepareModifiedModel(std::unique_ptr<ir::Model> model,
                                                          const std::string& path);

}  // namespace lathe::flows
