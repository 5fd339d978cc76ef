#include "lathe/passes/quant/quant_layer.h"

#include <algorithm>
#include <array>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/quant/quant_point.h"
#include "lathe/passes/quant/recurrent_layer.h"
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
  const bool by_rows = node.IntAttribute("transB", 0) != 0;
  layer.cin = (*dims)[by_rows ? 1 : 0];
  layer.columns = (*dims)[by_rows ? 0 : 1];
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
  layer.columns = dims->back();
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
    case LayerType::kLinear: {
      const bool by_rows = node->Is("Gemm") && node->IntAttribute("transB", 0) != 0;
      if (by_rows) return quant::WeightLayout::AlongAxis(1, dims[0], dims[1]);
      return quant::WeightLayout::AlongAxis(tensor.num_elements() / dims.back(), dims.back(), 1);
    }
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
      result = InspectRecurrent(node);
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
