#include "lathe/flows/load_model.h"

#include <array>
#include <string_view>

#include "lathe/flows/convert_opset.h"
#include "lathe/flows/run_passes.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/passes/pipelines/quantization.h"

namespace lathe::flows {
namespace {

constexpr int64_t kOldestEmittedOpset = 11;
constexpr int64_t kNewestEmittedOpset = 22;

// Operators that only the reference's own intermediate models have (its list AMCT_OPERATIONS).
constexpr std::array<std::string_view, 16> kReferenceOperators = {"IFMR",
                                                                  "HFMG",
                                                                  "Recorder",
                                                                  "AscendAntiQuant",
                                                                  "AscendWeightQuant",
                                                                  "RetrainQuant",
                                                                  "RNNRetrainQuant",
                                                                  "MarkedQuantizableModule",
                                                                  "QuantIdentity",
                                                                  "SelectiveMaskGen",
                                                                  "DMQBalancer",
                                                                  "Conv2dQAT",
                                                                  "LinearQAT",
                                                                  "LSTMQAT",
                                                                  "GRUQAT",
                                                                  "ConvTranspose1dQAT"};

std::string Describe(const ir::Node& node) {
  return fmt::format("node '{}' is {}", node.display_name(), node.op_text());
}

// Which form of a quantised model this is, as a clause ("is a deploy model already: ..."), and what
// to do; empty for a float model.
struct QuantizedForm {
  std::string what;
  std::string hint;
  bool is_modified = false;
};

QuantizedForm RecognizeQuantizedForm(const ir::Model& model) {
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Node& node : graph->nodes()) {
      const std::string_view op = node.op_text();
      if (op == "AscendQuant" || op == "AscendDequant" || op == "AscendDeQuant") {
        return {"is a deploy model already: " + Describe(node), "start from the float model"};
      }
      if (op == "QuantizeLinear" || op == "DequantizeLinear" || op == "FakeQuantize") {
        return {"is quantised already: " + Describe(node), "start from the float model"};
      }
      if (node.name_text().ends_with(".fakequant.round")) {
        return {"is a fake-quant model already: " + Describe(node),
                "run it with 'lathe run', or start from the float model"};
      }
      if (node.FindAttribute("op_data_type") != nullptr) {
        return {"is a modified model already: " +
                    fmt::format("node '{}' has op_data_type", node.display_name()),
                "finish it with 'lathe save' and its record", true};
      }
      for (const std::string_view each : kReferenceOperators) {
        if (op == each)
          return {"holds operators of a quantisation run: " + Describe(node),
                  "start from the float model"};
      }
    }
  }
  return {};
}

Status Refuse(const QuantizedForm& form, const std::string& path) {
  if (form.what.empty()) return OkStatus();
  Status status = WithContext(InvalidInput("the model {}", form.what), ErrorContext::kFile, path);
  return WithContext(std::move(status), ErrorContext::kHint, form.hint);
}

}  // namespace

StatusOr<std::unique_ptr<ir::Model>> LoadModifiedModel(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, frontends::ImportOnnx(path));
  const QuantizedForm form = RecognizeQuantizedForm(*model);
  if (!form.is_modified) LATHE_RETURN_IF_ERROR(Refuse(form, path));
  return model;
}

StatusOr<LoadedModel> LoadFloatModel(const std::string& path) {
  LoadedModel loaded;
  LATHE_ASSIGN_OR_RETURN(loaded.model, frontends::ImportOnnx(path));
  LATHE_RETURN_IF_ERROR(Refuse(RecognizeQuantizedForm(*loaded.model), path));
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
