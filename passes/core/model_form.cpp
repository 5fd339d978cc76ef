#include "lathe/passes/core/model_form.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace lathe::passes {
namespace {

constexpr std::string_view kRoundingNode = ".fakequant.round";
constexpr std::string_view kModifiedMark = "op_data_type";
// What the ONNX flavour calibrates with, and its simulations: IFMR, SearchN, Quant, ...
constexpr std::string_view kReferenceDomain = "amct.customop";

// Operators that only the reference's own intermediate models have (its list AMCT_OPERATIONS).
constexpr std::array<std::string_view, 17> kReferenceOperators = {"IFMR",
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
                                                                  "OFMRQuant",
                                                                  "ConvTranspose1dQAT"};

ModelForm FormOf(const ir::Node& node) {
  const std::string_view op = node.op_text();
  if (op == "AscendQuant" || op == "AscendDequant" || op == "AscendDeQuant" ||
      op.ends_with("InplaceFillWindowCache")) {
    return ModelForm::kDeploy;
  }
  if (op == "QuantizeLinear" || op == "DequantizeLinear" || op == "FakeQuantize") {
    return ModelForm::kQdq;
  }
  if (node.name_text().ends_with(kRoundingNode)) return ModelForm::kFakeQuant;
  if (node.FindAttribute(kModifiedMark) != nullptr) return ModelForm::kModified;
  const bool reference = std::ranges::find(kReferenceOperators, op) != kReferenceOperators.end() ||
                         node.domain_text().starts_with(kReferenceDomain);
  return reference ? ModelForm::kIntermediate : ModelForm::kFloat;
}

}  // namespace

std::string_view FormText(ModelForm form) {
  switch (form) {
    case ModelForm::kFloat:
      return "float model";
    case ModelForm::kModified:
      return "modified model";
    case ModelForm::kDeploy:
      return "deploy model";
    case ModelForm::kFakeQuant:
      return "fake-quant model";
    case ModelForm::kQdq:
      return "QDQ model";
    case ModelForm::kIntermediate:
      return "model in the middle of a quantisation run";
  }
  return "model";
}

std::string RecognizedForm::Evidence() const {
  if (witness == nullptr) return {};
  if (form == ModelForm::kModified) {
    return fmt::format("node '{}' has {}", witness->display_name(), kModifiedMark);
  }
  return fmt::format("node '{}' is {}", witness->display_name(), witness->op_text());
}

RecognizedForm RecognizeForm(const ir::Model& model) {
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Node& node : graph->nodes()) {
      if (const ModelForm form = FormOf(node); form != ModelForm::kFloat) return {form, &node};
    }
  }
  return {};
}

}  // namespace lathe::passes
