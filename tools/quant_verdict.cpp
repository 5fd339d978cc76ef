#include "lathe/tools/quant_verdict.h"

#include <algorithm>
#include <variant>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/support/quoted.h"

namespace lathe::tools {
namespace {

QuantVerdict StaysFloat(std::string_view reason) {
  return {.quantized = false, .text = fmt::format("stays float: {}", reason), .details = {}};
}

std::vector<std::string> SettingsText(const quant::LayerSettings& layer) {
  const bool ifmr = std::holds_alternative<quant::IfmrParameters>(layer.algorithm);
  std::vector<std::string> lines = {fmt::format("activation: {} bits, {}, {} offset",
                                                layer.activation_bits, ifmr ? "IFMR" : "HFMG",
                                                layer.with_offset ? "with an" : "without")};
  if (layer.type != quant::LayerType::kAvgPool2d) {
    lines.push_back(fmt::format("weight: {} bits, {}, {}", layer.weight_bits,
                                layer.ada ? "AdaRound" : "ARQ",
                                layer.channel_wise ? "a scale for each channel" : "one scale"));
  }
  if (layer.dmq_balancer_param) {
    lines.push_back(fmt::format("balanced with strength {}", *layer.dmq_balancer_param));
  }
  return lines;
}

// In the names of nodes that simulate AscendAntiQuant in front of LSTM and GRU.
constexpr std::string_view kSimulatedReal = ".fake_antiquant";

// The node behind an operand, past nodes that only hand values on or change their form.
const ir::Node* Source(const ir::Use& operand) {
  const ir::Node* node = operand.value() == nullptr ? nullptr : operand.value()->producer();
  const auto hands_on = [](const ir::Node& each) {
    return each.Is("Pad") || each.Is("Cast") ||
           each.name_text().find(kSimulatedReal) != std::string_view::npos;
  };
  while (node != nullptr && hands_on(*node) && node->input(0) != nullptr) {
    node = node->input(0)->producer();
  }
  return node;
}

std::string AscendQuantText(const ir::Node& quant) {
  return fmt::format("{} quantises its input: {}, scale {}, offset {}",
                     Quoted(quant.display_name()), quant.StringAttribute("dst_type", "INT8"),
                     quant.FloatAttribute("scale", 1.0f), quant.FloatAttribute("offset", 0.0f));
}

// A node that quantisation itself has put in.
bool IsOfQuantization(const ir::Node& node) {
  const std::string_view op = node.op_text();
  return op.starts_with("AscendQuant") || op == "AscendDequant" || op == "AscendDeQuant" ||
         op == "AscendAntiQuant" || op == "QuantizeLinear" || op == "DequantizeLinear" ||
         node.name_text().find(".fakequant") != std::string_view::npos ||
         node.name_text().find(kSimulatedReal) != std::string_view::npos;
}

// Of the accelerator's LSTM and GRU.
constexpr std::string_view kRecurrentSuffix = "InplaceFillWindowCache";

// The accelerator's LSTM and GRU quantise their input and hidden state themselves.
QuantVerdict RecurrentVerdict(const ir::Node& node) {
  const std::string type = node.IntAttribute("quant_dtype", 2) == 6 ? "INT16" : "INT8";
  const auto line = [&](std::string_view what, const std::string& suffix) {
    return fmt::format("{}: {}, scale {}, offset {}", what, type,
                       node.FloatAttribute("quant_scale_" + suffix, 1.0f),
                       node.FloatAttribute("quant_offset_" + suffix, 0.0f));
  };
  const bool lstm = node.op_text().starts_with("BasicLSTM");
  return {.quantized = true,
          .text = fmt::format("is quantised as {}", lstm ? "LSTM" : "GRU"),
          .details = {line("input", "x"), line("hidden state", "h")}};
}

// The results of a layer in reverse, or in both directions, are put together behind its operators,
// `<layer>.forward` and `<layer>.reverse`, by a node with the layer's name.
const ir::Node* SplitRecurrent(const ir::Node& node) {
  const ir::Node* behind = &node;
  constexpr int kLongest = 4;
  for (int i = 0; i < kLongest && behind != nullptr; ++i) {
    if (behind->op_text().ends_with(kRecurrentSuffix)) {
      const std::string_view name = behind->name_text();
      const bool own = name == std::string(node.name_text()) + ".forward" ||
                       name == std::string(node.name_text()) + ".reverse";
      return own ? behind : nullptr;
    }
    behind = behind->input(0) == nullptr ? nullptr : behind->input(0)->producer();
  }
  return nullptr;
}

// What it computes is quantised, also where that is simulated.
bool Quantizes(const ir::Node& node) {
  return node.op_text().starts_with("AscendQuant") || node.Is("DequantizeLinear") ||
         node.name_text().find(".quant.fakequant") != std::string_view::npos;
}

}  // namespace

QuantVerdict WouldBeQuantized(const ir::Model& model, const flows::ChosenConfig& chosen,
                              std::string_view layer) {
  const auto& layers = chosen.settings.layers;
  if (const auto it = std::ranges::find(layers, layer, &quant::LayerSettings::name);
      it != layers.end()) {
    return {.quantized = true,
            .text = fmt::format("would be quantised as {}", quant::ToString(it->type)),
            .details = SettingsText(*it)};
  }
  const auto& left = chosen.report.left_float;
  if (const auto it = std::ranges::find(left, layer, &passes::LeftFloat::layer); it != left.end()) {
    return StaysFloat(it->reason);
  }
  const passes::LayerScan scan = passes::ScanLayers(model);
  const auto it = std::ranges::find(scan.others, layer, &quant::OtherNode::name);
  return StaysFloat(it != scan.others.end() ? it->reason : "no layer has this name");
}

QuantVerdict IsQuantized(ir::Node& node, passes::ModelForm form) {
  if (IsOfQuantization(node)) {
    return {.quantized = true, .text = "belongs to the quantisation itself", .details = {}};
  }
  if (const ir::Node* recurrent = SplitRecurrent(node)) return RecurrentVerdict(*recurrent);
  if (node.op_text().ends_with(kRecurrentSuffix)) return RecurrentVerdict(node);
  const auto inspected = passes::InspectLayer(node);
  const auto* layer = std::get_if<passes::QuantLayer>(&inspected);
  const auto* other = std::get_if<passes::NotALayer>(&inspected);
  if (other != nullptr && other->reason.empty()) {
    return StaysFloat(fmt::format("{} is never quantised", node.op_text()));
  }
  const std::string type = layer != nullptr ? std::string(ToString(layer->type)) : other->type;
  if (form == passes::ModelForm::kModified) {
    const std::string mark = node.StringAttribute("op_data_type", "");
    if (mark.empty()) return StaysFloat("it has no op_data_type");
    return {.quantized = true,
            .text = fmt::format("would be quantised as {}", type),
            .details = {fmt::format("op_data_type is {}", mark)}};
  }
  // In a simulation weights are computed, too, so what counts is the input.
  const ir::Node* source = Source(layer != nullptr ? *layer->activation : node.inputs()[0]);
  if (source == nullptr || !Quantizes(*source)) {
    if (other != nullptr) return StaysFloat(other->reason);
    return StaysFloat(layer->on_request.empty() ? "nothing quantises its input"
                                                : layer->on_request);
  }
  QuantVerdict verdict{
      .quantized = true, .text = fmt::format("is quantised as {}", type), .details = {}};
  verdict.details.push_back(source->op_text() == "AscendQuant"
                                ? AscendQuantText(*source)
                                : fmt::format("{} ({}) quantises its input",
                                              Quoted(source->display_name()), source->op_text()));
  if (layer != nullptr && layer->weight != nullptr) {
    const ir::Tensor weight = layer->weight->value()->ConstantTensor();
    verdict.details.push_back(
        fmt::format("weight: {}", ir::ElementTypeName(weight.element_type())));
  }
  return verdict;
}

}  // namespace lathe::tools
