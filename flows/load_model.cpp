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

}  // namespace

QuantizedForm RecognizeQuantizedForm(const ir::Model& model) {
  const passes::RecognizedForm recognized = passes::RecognizeForm(model);
  const std::string evidence = recognized.Evidence();
  switch (recognized.form) {
    case passes::ModelForm::kFloat:
      break;
    case passes::ModelForm::kDeploy:
      return {"is a deploy model already: " + evidence, "run it with 'lathe run'"};
    case passes::ModelForm::kQdq:
      return {"is quantised already: " + evidence,
              "turn a QDQ model into an Ascend one with 'lathe convert-qat'"};
    case passes::ModelForm::kFakeQuant:
      return {"is a fake-quant model already: " + evidence, "run it with 'lathe run'"};
    case passes::ModelForm::kModified:
      return {"is a modified model already: " + evidence,
              "finish it with 'lathe save' and its record"};
    case passes::ModelForm::kIntermediate:
      return {"holds operators of a quantisation run: " + evidence, "start from the float model"};
  }
  return {};
}

StatusOr<LoadedModel> LoadFloatModel(const std::string& path) {
  LoadedModel loaded;
  LATHE_ASSIGN_OR_RETURN(loaded.model, frontends::ImportOnnx(path));
  const QuantizedForm form = RecognizeQuantizedForm(*loaded.model);
  if (!form.what.empty()) {
    Status status = WithContext(InvalidInput("the model {}", form.what), ErrorContext::kFile, path);
    return WithContext(std::move(status), ErrorContext::kHint, form.hint);
  }
  const auto prepared = RunPasses(*loaded.model, passes::kPreparePipeline);
  if (!prepared.ok()) return WithContext(prepared.status(), ErrorContext::kFile, path);

  const int64_t opset = loaded.model->OpsetVersion("");
  const int64_t wanted = std::min(std::max(opset, kOldestEmittedOpset), kNewestEmittedOpset);
  if (opset != wanted) {
    auto converted = ConvertOpset(*loaded.model, wanted);
    if (!converted.ok()) return WithContext(converted.status(), ErrorContext::kFile, path);
    loaded.model = *std::move(converted);
    loaded.notes.push_back(fmt::format("operator set {} was converted to {}", opset, wanted));
  }
  return loaded;
}

}  // namespace lathe::flows
