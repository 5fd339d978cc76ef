#include "lathe/flows/load_model.h"

#include "lathe/flows/convert_opset.h"
#include "lathe/flows/import_model.h"
#include "lathe/flows/run_passes.h"
#include "lathe/passes/core/model_form.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/searchn/search_n_layers.h"

namespace lathe::flows {
namespace {

constexpr int64_t kOldestEmittedOpset = 11;
constexpr int64_t kNewestEmittedOpset = 22;

// Why a model of this form is not taken, as a clause ("is a deploy model already: ..."), and what
// to do; empty for a float model.
struct Refusal {
  std::string what;
  std::string_view hint;
};

Refusal RefusalOf(const passes::RecognizedForm& recognized) {
  const std::string evidence = recognized.Evidence();
  switch (recognized.form) {
    case passes::ModelForm::kFloat:
      break;
    case passes::ModelForm::kDeploy:
      return {"is a deploy model already: " + evidence, "start from the float model"};
    case passes::ModelForm::kQdq:
      return {"is quantised already: " + evidence, "start from the float model"};
    case passes::ModelForm::kFakeQuant:
      return {"is a fake-quant model already: " + evidence,
              "run it with 'lathe run', or start from the float model"};
    case passes::ModelForm::kModified:
      return {"is a modified model already: " + evidence,
              "finish it with 'lathe save' and its record"};
    case passes::ModelForm::kRetrain:
      return {"is a retrain model already: " + evidence,
              "finish it with 'lathe retrain save', or start from the float model"};
    case passes::ModelForm::kIntermediate:
      return {"holds operators of a quantisation run: " + evidence, "start from the float model"};
  }
  return {};
}

Status InFile(Status status, const std::string& path) {
  return path.empty() ? status : WithContext(std::move(status), ErrorContext::kFile, path);
}

Status Refuse(const passes::RecognizedForm& form, const std::string& path) {
  const Refusal refusal = RefusalOf(form);
  if (refusal.what.empty()) return OkStatus();
  Status status = InFile(InvalidInput("the model {}", refusal.what), path);
  return WithContext(std::move(status), ErrorContext::kHint, refusal.hint);
}

StatusOr<LoadedModel> Prepare(std::unique_ptr<ir::Model> model, const std::string& path) {
  LoadedModel loaded;
  loaded.model = std::move(model);
  const auto prepared = RunPasses(*loaded.model, passes::kPreparePipeline);
  if (!prepared.ok()) return InFile(prepared.status(), path);

  const int64_t opset = loaded.model->OpsetVersion("");
  const int64_t wanted = std::min(std::max(opset, kOldestEmittedOpset), kNewestEmittedOpset);
  if (opset != wanted) {
    auto converted = ConvertOpset(*loaded.model, wanted);
    if (!converted.ok()) return InFile(converted.status(), path);
    loaded.model = *std::move(converted);
    loaded.notes.push_back(fmt::format("operator set {} was converted to {}", opset, wanted));
  }
  return loaded;
}

}  // namespace

StatusOr<std::unique_ptr<ir::Model>> LoadModifiedModel(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, ImportModel(path));
  return PrepareModifiedModel(std::move(model), path);
}

StatusOr<std::unique_ptr<ir::Model>> PrepareModifiedModel(std::unique_ptr<ir::Model> model,
                                                          const std::string& path) {
  const passes::RecognizedForm form = passes::RecognizeForm(*model);
  if (form.form != passes::ModelForm::kModified) LATHE_RETURN_IF_ERROR(Refuse(form, path));
  return model;
}

StatusOr<LoadedModel> LoadFloatModel(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, ImportModel(path));
  return PrepareFloatModel(std::move(model), path);
}

StatusOr<LoadedModel> PrepareFloatModel(std::unique_ptr<ir::Model> model, const std::string& path) {
  LATHE_RETURN_IF_ERROR(Refuse(passes::RecognizeForm(*model), path));
  return Prepare(std::move(model), path);
}

StatusOr<LoadedRetrainModel> LoadRetrainModel(const std::string& path,
                                              passes::MasksByLayer* masks) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, ImportModel(path));
  LoadedRetrainModel result;
  if (passes::RecognizeForm(*model).form == passes::ModelForm::kRetrain) {
    // Before weights that are computed are folded: they are behind quantisers here.
    auto constants = passes::RemoveRetrain(*model);
    if (!constants.ok()) return WithContext(constants.status(), ErrorContext::kFile, path);
    result.constants = *std::move(constants);
    auto search_n = passes::RemoveSearchN(*model);
    if (!search_n.ok()) return WithContext(search_n.status(), ErrorContext::kFile, path);
    result.search_n = *search_n;
  }
  if (masks != nullptr) {
    auto removed = passes::RemoveMasks(*model);
    if (!removed.ok()) return WithContext(removed.status(), ErrorContext::kFile, path);
    *masks = *std::move(removed);
  }
  LATHE_RETURN_IF_ERROR(Refuse(passes::RecognizeForm(*model), path));
  LATHE_ASSIGN_OR_RETURN(result.loaded, Prepare(std::move(model), path));
  return result;
}

StatusOr<LoadedQdqModel> LoadQdqModel(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, ImportModel(path));
  const passes::RecognizedForm form = passes::RecognizeForm(*model);
  if (form.form != passes::ModelForm::kQdq) {
    if (form.form != passes::ModelForm::kFloat) LATHE_RETURN_IF_ERROR(Refuse(form, path));
    Status status = InvalidInput("the model has no QuantizeLinear and no DequantizeLinear");
    status = WithContext(std::move(status), ErrorContext::kFile, path);
    return WithContext(std::move(status), ErrorContext::kHint,
                       "a float model is quantised with 'lathe quantize'");
  }
  // Before weights that are computed are folded: they are integers here.
  const auto named = RunPasses(*model, passes::kQuantizersPipeline);
  if (!named.ok()) return WithContext(named.status(), ErrorContext::kFile, path);
  LoadedQdqModel result;
  passes::AbsorbQdq(*model, result.record, result.report);
  LATHE_ASSIGN_OR_RETURN(result.loaded, Prepare(std::move(model), path));
  return result;
}

}  // namespace lathe::flows
