#include "lathe/passes/quant/tensor_point.h"

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/quant/quant_point.h"
#include "lathe/quant/config/tensor_quantize.h"

namespace lathe::passes {
namespace {

// The MatMul whose bias `add` is, if it is one.
const ir::Node* LayerOfBias(const ir::Node& add) {
  ir::Node* matmul = add.input(0) == nullptr ? nullptr : add.input(0)->producer();
  if (matmul == nullptr || !matmul->Is("MatMul")) return nullptr;
  const auto inspected = InspectLayer(*matmul);
  const auto* layer = std::get_if<QuantLayer>(&inspected);
  return layer != nullptr && layer->bias_add == &add ? matmul : nullptr;
}

// Why the input cannot be quantised, as a clause, or "".
std::string Refusal(const ir::Node& node, size_t index) {
  const ir::Value* value = node.input(index);
  if (value == nullptr) return "it is left out";
  if (value->ConstantTensor()) return "it is a constant";
  if (node.Is("Add")) {
    if (const ir::Node* layer = LayerOfBias(node)) {
      return fmt::format("it is the result of layer '{}' before its bias", LayerName(*layer));
    }
  }
  const ir::Type& type = value->Resolve()->type();
  if (!type.is_tensor() || type.element == ir::ElementType::kFloat32) return "";
  return fmt::format("it is {}, only f32 is quantised on its own",
                     ir::ElementTypeName(type.element));
}

}  // namespace

std::optional<quant::TensorNode> InspectTensorNode(const ir::Node& node) {
  if (!node.Is("Add") && !node.Is("MaxPool")) return std::nullopt;
  quant::TensorNode result{.name = LayerName(node), .refusals = {}};
  for (size_t i = 0; i < node.num_inputs(); ++i) result.refusals.push_back(Refusal(node, i));
  return result;
}

std::vector<quant::TensorNode> ScanTensorNodes(const ir::Model& model) {
  std::vector<quant::TensorNode> nodes;
  VisitNodes(model.graph(), [&](const ir::Node& node) {
    if (auto found = InspectTensorNode(node)) nodes.push_back(*std::move(found));
  });
  return nodes;
}

std::string TensorPoint::NodePrefix() const {
  const auto name = quant::ParseTensorKey(key);
  return name ? fmt::format("{}_{}", name->node, name->input_index) : key;
}

std::vector<TensorPoint> MarkedTensors(const ir::Model& model) {
  std::vector<TensorPoint> points;
  VisitNodes(model.graph(), [&](ir::Node& node) {
    for (ir::Use& use : node.inputs()) {
      const std::optional<QuantPoint> point = FindQuantPoint(use);
      if (point && point->role == QuantRole::kTensor) {
        points.push_back({std::string(point->layer), &use});
      }
    }
  });
  return points;
}

}  // namespace lathe::passes
