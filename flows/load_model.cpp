#include "lathe/flows/load_model.h"

#include "lathe/flows/convert_opset.h"
#include "lathe/flows/run_passes.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/passes/core/model_form.h"
#include "lathe/passes/pipelines/quantization.h"

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

}  // namespace

StatusOr<std::unique_ptr<ir::Model>> LoadModifiedModel(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, frontends::ImportOnnx(path));
  return PrepareModifiedModel(std::move(model), path);
}

StatusOr<std::unique_ptr<ir::Model>> PrepareModifiedModel(std::unique_ptr<ir::Model> model,
                                                          const std::string& path) {
  const passes::RecognizedForm form = passes::RecognizeForm(*model);
  if (form.form != passes::ModelForm::kModified) LATHE_RETURN_IF_ERROR(Refuse(form, path));
  return model;
}

StatusOr<LoadedModel> LoadFloatModel(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, frontends::ImportOnnx(path));
  return PrepareFloatModel(std::move(model), path);
}

StatusOr<LoadedModel> PrepareFloatModel(std::unique_ptr<ir::Model> model, const std::string& path) {
  LoadedModel loaded;
  loaded.model = std::move(model);
  LATHE_RETURN_IF_ERROR(Refuse(passes::RecognizeForm(*loaded.model), path));
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

}  // namespace lathe::flows
