#include "lathe/passes/quant/recurrent_layer.h"

#include <absl/container/flat_hash_set.h>

namespace lathe::passes {
namespace {

using quant::LayerType;

NotALayer Refuse(std::string_view type, std::string reason) {
  return {std::string(type), std::move(reason)};
}

// Dims of the constant behind an operand; nothing when it is computed.
std::optional<std::vector<int64_t>> ConstantDims(const ir::Value* value) {
  const ir::Tensor tensor = value == nullptr ? ir::Tensor() : value->ConstantTensor();
  if (!tensor) return std::nullopt;
  return std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end());
}

// Some graph input reaches the value. O(nodes upstream).
bool FedByGraphInput(const ir::Value* value) {
  std::vector<const ir::Value*> stack = {value};
  absl::flat_hash_set<const ir::Node*> seen;
  while (!stack.empty()) {
    const ir::Value* top = stack.back();
    stack.pop_back();
    if (top == nullptr) continue;
    top = top->Resolve();
    if (top->kind() == ir::Value::Kind::kGraphInput) return true;
    const ir::Node* producer = top->producer();
    if (producer == nullptr || !seen.insert(producer).second) continue;
    for (const ir::Use& use : producer->operands()) stack.push_back(use.value());
  }
  return false;
}

// How many directions the attribute means; 0 when it is not known.
int64_t DirectionsOf(const ir::Node& node) {
  const std::string direction = node.StringAttribute("direction", "forward");
  if (direction == "bidirectional") return 2;
  return direction == "forward" || direction == "reverse" ? 1 : 0;
}

// Of the rules that a form of the operator must keep in any case, one it breaks, or "".
std::string BrokenRnnRule(const ir::Node& node, bool lstm, int64_t directions) {
  if (node.input(7) != nullptr) return "it has peephole weights";
  if (node.IntAttribute("layout", 0) != 0) return "its layout is not 0";
  if (lstm && node.IntAttribute("input_forget", 0) != 0) return "input_forget is set";
  for (const std::string_view name : {"activation_alpha", "activation_beta", "clip"}) {
    // A GRU's clip is not looked at in the reference.
    if (!lstm && name == "clip") continue;
    if (node.FindAttribute(name) != nullptr) return fmt::format("{} is set", name);
  }
  const ir::Attribute* activations = node.FindAttribute("activations");
  if (activations == nullptr) return "";
  const auto* names = activations->get_if<std::vector<std::string>>();
  std::vector<std::string> usual;
  for (int64_t i = 0; i < directions; ++i) {
    usual.insert(usual.end(), {"Sigmoid", "Tanh"});
    if (lstm) usual.emplace_back("Tanh");
  }
  if (names == nullptr || *names != usual) return "its activations are not Sigmoid and Tanh";
  return "";
}

// The limits of the reference's 3.5 that our lowering does not need: one that the layer exceeds, or
// "".
std::string ExceededRnnLimit(const ir::Node& node, bool lstm) {
  if (DirectionsOf(node) != 1) return "it has more than one direction";
  if (node.StringAttribute("direction", "forward") != "forward") {
    return "its direction is not forward";
  }
  if (!FedByGraphInput(node.input(5))) return "its initial_h does not come from an input";
  if (lstm && !FedByGraphInput(node.input(6))) return "its initial_c does not come from an input";
  if (node.num_outputs() < (lstm ? 3u : 2u)) return "it lacks some of its outputs";
  if (!lstm && node.IntAttribute("linear_before_reset", 0) == 0) return "linear_before_reset is 0";
  if (node.FindAttribute("activations") != nullptr) return "activations is set";
  return "";
}

}  // namespace

std::variant<QuantLayer, NotALayer> InspectRecurrent(ir::Node& node) {
  const bool lstm = node.Is("LSTM");
  const LayerType kind = lstm ? LayerType::kLstm : LayerType::kGru;
  const std::string_view type = ToString(kind);
  const auto weight = ConstantDims(node.input(1));
  const auto recurrence = ConstantDims(node.input(2));
  if (!weight || !recurrence) return Refuse(type, "its weights are computed");
  const int64_t directions = DirectionsOf(node);
  if (directions == 0) return Refuse(type, "its direction is not known");
  if (weight->size() != 3 || recurrence->size() != 3 || (*weight)[0] != directions ||
      (*recurrence)[0] != directions) {
    return Refuse(type, "its weights do not fit its direction");
  }
  const int64_t gates = lstm ? 4 : 3;
  if ((*weight)[1] < 1 || (*weight)[2] < 1 || (*weight)[1] != gates * (*recurrence)[2] ||
      (*recurrence)[1] != (*weight)[1]) {
    return Refuse(type, "its weights do not fit each other");
  }
  if (std::string reason = BrokenRnnRule(node, lstm, directions); !reason.empty()) {
    return Refuse(type, std::move(reason));
  }
  QuantLayer layer;
  layer.type = kind;
  layer.directions = directions;
  layer.channels = directions * (*weight)[1];
  layer.cin = (*weight)[2];
  layer.activation = &node.inputs()[0];
  layer.weight = &node.inputs()[1];
  if (node.input(5) != nullptr) layer.hidden = &node.inputs()[5];
  layer.recurrence = &node.inputs()[2];
  if (node.input(3) != nullptr) {
    const auto bias = ConstantDims(node.input(3));
    if (!bias) return Refuse(type, "its bias is computed");
    if (*bias != std::vector<int64_t>{directions, 2 * (*weight)[1]}) {
      return Refuse(type, "its bias does not fit its weights");
    }
    layer.bias = &node.inputs()[3];
  }
  layer.on_request = ExceededRnnLimit(node, lstm);
  return layer;
}

}  // namespace lathe::passes
