#include "lathe/passes/quant/quant_layer.h"

#include <algorithm>
#include <array>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/quant/quant_point.h"
#include "lathe/passes/quant/tensor_point.h"

namespace lathe::passes {
namespace {

using quant::LayerType;

std::variant<QuantLayer, NotALayer> Refuse(std::string_view type, std::string reason) {
  return NotALayer{std::string(type), std::move(reason)};
}

// Dims of the constant behind an operand; nothing when it is computed.
std::optional<std::vector<int64_t>> ConstantDims(const ir::Value* value) {
  if (value == nullptr) return std::nullopt;
  const ir::Tensor tensor = value->ConstantTensor();
  if (!tensor) return std::nullopt;
  return std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end());
}

// A constant, or the Cast that quantize-bias puts behind one in front of a layer with 4-bit
// activations.
bool IsConstantBias(const ir::Node& layer, const ir::Value* bias) {
  if (const ir::Node* cast = bias->producer();
      cast != nullptr && cast->Is("Cast") &&
      cast->name_text() == LayerName(layer) + ".bias_quant") {
    bias = cast->input(0);
  }
  return ConstantDims(bias).has_value();
}

std::variant<QuantLayer, NotALayer> InspectConv(ir::Node& node) {
  const bool transposed = node.Is("ConvTranspose");
  const auto dims = ConstantDims(node.input(1));
  if (!dims) return Refuse(node.op_text(), "its weight is computed");
  const size_t rank = dims->size() < 2 ? 0 : dims->size() - 2;
  static constexpr std::array<LayerType, 3> kConv = {LayerType::kConv1d, LayerType::kConv2d,
                                                     LayerType::kConv3d};
  static constexpr std::array<LayerType, 2> kTransposed = {LayerType::kConvTranspose1d,
                                                           LayerType::kConvTranspose2d};
  if (rank < 1 || rank > (transposed ? kTransposed.size() : kConv.size())) {
    return Refuse(node.op_text(), fmt::format("its weight has {} dimensions", dims->size()));
  }
  QuantLayer layer;
  layer.type = transposed ? kTransposed[rank - 1] : kConv[rank - 1];
  const std::string_view type = ToString(layer.type);
  layer.group = node.IntAttribute("group", 1);
  if (layer.group < 1 || (*dims)[0] % layer.group != 0 ||
      std::ranges::any_of(*dims, [](int64_t dim) { return dim < 1; })) {
    return Refuse(type, "its weight does not fit its group");
  }
  layer.channels = transposed ? (*dims)[1] * layer.group : (*dims)[0];
  layer.cin = transposed ? (*dims)[0] : (*dims)[1] * layer.group;
  if (layer.type == LayerType::kConv3d) {
    const std::vector<int64_t> dilations = node.IntsAttribute("dilations");
    if (!dilations.empty() && dilations[0] != 1) {
      return Refuse(type, "it is dilated along its first axis");
    }
  }
  layer.activation = &node.inputs()[0];
  layer.weight = &node.inputs()[1];
  if (node.input(2) != nullptr) {
    if (!IsConstantBias(node, node.input(2))) return Refuse(type, "its bias is computed");
    layer.bias = &node.inputs()[2];
  }
  return layer;
}

std::variant<QuantLayer, NotALayer> InspectGemm(ir::Node& node) {
  const std::string_view type = ToString(LayerType::kLinear);
  const auto dims = ConstantDims(node.input(1));
  if (!dims) return Refuse(type, "its weight is computed");
  if (dims->size() != 2 || (*dims)[0] < 1 || (*dims)[1] < 1) {
    return Refuse(type, "its weight is not a matrix");
  }
  if (node.IntAttribute("transA", 0) != 0) return Refuse(type, "its input is transposed (transA)");
  if (node.FloatAttribute("alpha", 1.0f) != 1.0f) return Refuse(type, "its alpha is not 1");
  QuantLayer layer;
  layer.type = LayerType::kLinear;
  layer.cin = (*dims)[node.IntAttribute("transB", 0) != 0 ? 1 : 0];
  layer.activation = &node.inputs()[0];
  layer.weight = &node.inputs()[1];
  if (node.input(2) != nullptr) {
    if (node.FloatAttribute("beta", 1.0f) != 1.0f) return Refuse(type, "its beta is not 1");
    if (!IsConstantBias(node, node.input(2))) return Refuse(type, "its bias is computed");
    layer.bias = &node.inputs()[2];
  }
  return layer;
}

std::variant<QuantLayer, NotALayer> InspectMatMul(ir::Node& node) {
  const std::string_view type = ToString(LayerType::kLinear);
  const auto dims = ConstantDims(node.input(1));
  if (!dims) return Refuse(type, "its second input is computed");
  // More than two dimensions are a stack of matrices, which share one scale.
  if (dims->size() < 2 || std::ranges::any_of(*dims, [](int64_t dim) { return dim < 1; })) {
    return Refuse(type, "its weight is not a matrix");
  }
  QuantLayer layer;
  layer.type = LayerType::kLinear;
  layer.cin = (*dims)[dims->size() - 2];
  layer.activation = &node.inputs()[0];
  layer.weight = &node.inputs()[1];
  // The reference recognises a bias only as input 1 of an Add that is the MatMul's only user.
  if (node.output()->has_one_use()) {
    ir::Node* add = node.output()->first_use()->user();
    if (!add->is_return() && add->Is("Add") && node.output()->first_use()->index() == 0) {
      const auto bias = ConstantDims(add->input(1));
      if (bias && bias->size() == 1 && bias->front() == dims->back()) {
        layer.bias_add = add;
        layer.bias = &add->inputs()[1];
      }
    }
  }
  return layer;
}

std::variant<QuantLayer, NotALayer> InspectAveragePool(ir::Node& node) {
  const size_t rank = node.IntsAttribute("kernel_shape").size();
  if (rank != 2) {
    return Refuse(node.op_text(), fmt::format("it pools over {} axes, not 2", rank));
  }
  QuantLayer layer;
  layer.type = LayerType::kAvgPool2d;
  layer.activation = &node.inputs()[0];
  ir::Node* pad = node.input(0) == nullptr ? nullptr : node.input(0)->producer();
  if (pad != nullptr && pad->Is("Pad") && pad->output()->has_one_use() &&
      pad->name_text() == LayerName(node) + "_pad") {
    layer.activation = &pad->inputs()[0];
  }
  return layer;
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

std::variant<QuantLayer, NotALayer> InspectRnn(ir::Node& node) {
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

// The constant that identifies a weight: shared through Identity or captures, it is still one.
const ir::Value* WeightRoot(const ir::Use& weight) {
  const ir::Value* value = weight.value()->Resolve();
  while (const ir::Node* node = value->producer()) {
    if (!node->Is("Identity")) break;
    value = node->input(0)->Resolve();
  }
  return value;
}

// The element type of a weight that is not quantised (the reference takes float32 and float16).
std::optional<ir::ElementType> ForeignWeight(const QuantLayer& layer) {
  for (const ir::Use* weight : {layer.weight, layer.recurrence}) {
    if (weight == nullptr) continue;
    const ir::ElementType element = weight->value()->ConstantTensor().element_type();
    if (element != ir::ElementType::kFloat32 && element != ir::ElementType::kFloat16) {
      return element;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string LayerName(const ir::Node& node) { return node.display_name(); }

quant::WeightLayout QuantLayer::Layout(const ir::Use& constant, size_t scales) const {
  const ir::Tensor tensor = constant.value()->ConstantTensor();
  const auto dims = tensor.dims();
  if (scales == 1) return quant::WeightLayout::PerTensor(tensor.num_elements());
  int64_t inner = 1;
  for (const int64_t dim : dims.subspan(2)) inner *= dim;
  switch (type) {
    case LayerType::kConv1d:
    case LayerType::kConv2d:
    case LayerType::kConv3d:
      return quant::WeightLayout::AlongAxis(1, dims[0], dims[1] * inner);
    case LayerType::kConvTranspose1d:
    case LayerType::kConvTranspose2d:
      return quant::WeightLayout::ConvTranspose(dims[0], dims[1], inner, group);
    case LayerType::kLstm:
    case LayerType::kGru:
      // Gates follow each other along dims[1], directions along dims[0].
      return quant::WeightLayout::AlongAxis(
          1, static_cast<int64_t>(scales),
          dims[0] * dims[1] / static_cast<int64_t>(scales) * inner);
    case LayerType::kLinear:
    case LayerType::kAvgPool2d:
      break;
  }
  return quant::WeightLayout::PerTensor(tensor.num_elements());
}

quant::WeightLayout QuantLayer::InputLayout() const {
  const ir::Tensor tensor = weight->value()->ConstantTensor();
  const auto dims = tensor.dims();
  if (node->Is("Conv")) {
    int64_t inner = 1;
    for (const int64_t dim : dims.subspan(2)) inner *= dim;
    return {group, dims[0] / group, dims[1], inner};
  }
  const size_t axis = node->Is("Gemm") && node->IntAttribute("transB", 0) != 0 ? 1
                      : node->Is("MatMul")                                     ? dims.size() - 2
                                                                               : 0;
  int64_t before = 1;
  for (const int64_t dim : dims.first(axis)) before *= dim;
  int64_t after = 1;
  for (const int64_t dim : dims.subspan(axis + 1)) after *= dim;
  return quant::WeightLayout::AlongAxis(before, dims[axis], after);
}

std::variant<QuantLayer, NotALayer> InspectLayer(ir::Node& node) {
  std::variant<QuantLayer, NotALayer> result = NotALayer{std::string(node.op_text()), ""};
  if (node.num_inputs() > 0 && node.input(0) != nullptr && node.num_outputs() > 0) {
    if (node.Is("Conv") || node.Is("ConvTranspose")) {
      result = InspectConv(node);
    } else if (node.Is("Gemm")) {
      result = InspectGemm(node);
    } else if (node.Is("MatMul")) {
      result = InspectMatMul(node);
    } else if (node.Is("AveragePool")) {
      result = InspectAveragePool(node);
    } else if (node.Is("LSTM") || node.Is("GRU")) {
      result = InspectRnn(node);
    }
  }
  if (auto* layer = std::get_if<QuantLayer>(&result)) {
    layer->node = &node;
    layer->name = LayerName(node);
  }
  return result;
}

LayerScan ScanLayers(const ir::Model& model) {
  LayerScan scan;
  // Layers that stay float unless asked for do not take a weight away from others.
  absl::flat_hash_map<const ir::Value*, int> weight_users;
  absl::flat_hash_map<const ir::Value*, int> usual_users;
  std::vector<QuantLayer> candidates;
  const auto look = [&](ir::Node& node, bool in_function) {
    auto inspected = InspectLayer(node);
    if (auto* layer = std::get_if<QuantLayer>(&inspected)) {
      for (const ir::Use* weight : {layer->weight, layer->recurrence}) {
        if (weight == nullptr) continue;
        ++weight_users[WeightRoot(*weight)];
        if (layer->on_request.empty()) ++usual_users[WeightRoot(*weight)];
      }
      if (!in_function) {
        candidates.push_back(std::move(*layer));
        return;
      }
      scan.others.push_back(
          {layer->name, std::string(ToString(layer->type)), "it stands inside a local function"});
      return;
    }
    auto& other = std::get<NotALayer>(inspected);
    if (other.reason.empty()) other.reason = fmt::format("{} is never quantised", node.op_text());
    scan.others.push_back({LayerName(node), std::move(other.type), std::move(other.reason)});
  };
  VisitNodes(model.graph(), [&](ir::Node& node) { look(node, false); });
  for (const auto& function : model.functions()) {
    VisitNodes(function->body(), [&](ir::Node& node) { look(node, true); });
  }
  scan.tensors = ScanTensorNodes(model);
  for (QuantLayer& layer : candidates) {
    const auto shared = [&](const ir::Use* weight) {
      auto& users = layer.on_request.empty() ? usual_users : weight_users;
      return weight != nullptr && users[WeightRoot(*weight)] > 1;
    };
    if (const auto element = ForeignWeight(layer)) {
      scan.others.push_back({layer.name, std::string(ToString(layer.type)),
                             fmt::format("its weight is {}, only f32 and f16 are quantised",
                                         ir::ElementTypeName(*element))});
    } else if (shared(layer.weight) || shared(layer.recurrence)) {
      scan.others.push_back(
          {layer.name, std::string(ToString(layer.type)), "another layer uses the same weight"});
    } else {
      scan.layers.push_back(std::move(layer));
    }
  }
  return scan;
}

quant::NetworkDescription DescribeNetwork(const LayerScan& scan) {
  quant::NetworkDescription network;
  for (const QuantLayer& layer : scan.layers) {
    quant::LayerDescription description;
    description.name = layer.name;
    description.type = layer.type;
    description.op = layer.node->op_text();
    description.group = layer.group;
    description.has_bias = layer.bias != nullptr;
    description.on_request = layer.on_request;
    if (layer.weight != nullptr) {
      const bool conv = layer.node->Is("Conv");
      description.cin_axis_lengths = {conv ? layer.cin / layer.group : layer.cin};
    }
    if (layer.type == LayerType::kLstm || layer.type == LayerType::kGru) {
      description.cin_axis_lengths.push_back(layer.node->input(2)->ConstantTensor().dims()[2]);
    }
    network.layers.push_back(std::move(description));
  }
  network.others = scan.others;
  network.tensors = scan.tensors;
  return network;
}

std::vector<QuantLayer> MarkedLayers(const ir::Model& model) {
  std::vector<QuantLayer> layers;
  VisitNodes(model.graph(), [&](ir::Node& node) {
    auto inspected = InspectLayer(node);
    auto* layer = std::get_if<QuantLayer>(&inspected);
    if (layer == nullptr) return;
    const std::optional<QuantPoint> point = FindQuantPoint(*layer->activation);
    if (point && point->role == QuantRole::kActivation && point->layer == layer->name) {
      layers.push_back(std::move(*layer));
    }
  });
  return layers;
}

}  // namespace lathe::passes
