#include "lathe/passes/lowering/insert_balance.h"

#include <vector>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/record.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Divides the activation of each marked layer that has balance factors in the record by them:

    %y = Conv(%x, %w)        %b = Mul(%x, 1/factor: [1, C, 1, 1])
                             %y = Conv(%b, %w)

The node is called `<layer>.mul`, its Constant, at the front of the graph, `<layer>.tensor_balance_factor`.
The weights must have been multiplied (balance-weights).
)";

// The reciprocals, of the weight's type, broadcast over the layer's activation: [1, C, 1, ...]
// after the rank of the weight, [C] for a vector.
ir::Tensor Reciprocals(const QuantLayer& layer, std::span<const float> factors) {
  std::vector<float> values;
  for (const float factor : factors) values.push_back(1.0f / factor);
  const ir::Tensor weight = layer.weight->value()->ConstantTensor();
  std::vector<int64_t> dims = {1, static_cast<int64_t>(factors.size())};
  if (layer.type != quant::LayerType::kLinear) dims.resize(static_cast<size_t>(weight.rank()), 1);
  const auto& shape = layer.activation->value()->type().shape;
  if (shape && shape->size() == 1) dims.erase(dims.begin());
  return FloatTensor(weight.element_type(), dims, values);
}

void Insert(PassContext& context, const QuantLayer& layer, std::span<const float> factors) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Graph& graph = *layer.node->graph();
  const ir::Rewriter::OriginScope origin(rewriter, *layer.node);
  ir::Tensor reciprocals = Reciprocals(layer, factors);
  const ir::Type* type = context.model().Intern(ir::Type::Tensor(
      reciprocals.element_type(), {reciprocals.dims().begin(), reciprocals.dims().end()}));
  ir::NodeSpec constant;
  constant.op = "Constant";
  constant.name = layer.name + ".tensor_balance_factor";
  constant.attributes = {{"value", std::move(reciprocals)}};
  ir::Node& factor = rewriter.CreateNode(graph, graph.first_node(), std::move(constant));
  rewriter.SetType(*factor.output(), type);
  ir::NodeSpec mul;
  mul.op = "Mul";
  mul.name = layer.name + ".mul";
  mul.inputs = {layer.activation->value(), factor.output()};
  ir::Node& node = rewriter.CreateNode(graph, layer.activation->user(), std::move(mul));
  rewriter.SetType(*node.output(), layer.activation->value()->type_ref());
  rewriter.ReplaceUse(*layer.activation, node.output());
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    const quant::LayerRecord* entry = record->Find(layer.name);
    if (layer.weight == nullptr || entry == nullptr) continue;
    const std::vector<float>& factors = entry->tensor_balance_factor;
    if (factors.empty()) continue;
    if (static_cast<int64_t>(factors.size()) != layer.cin) {
      return WithContext(InvalidInput("{} balance factors are given for {} input channels",
                                      factors.size(), layer.cin),
                         ErrorContext::kNode, layer.name);
    }
    Insert(context, layer, factors);
    context.Count("inserted");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& InsertBalancePass() {
  static const PassDescriptor kPass = {
      .name = "insert-balance",
      .summary = "Divide the activations of marked layers by the balance factors of the record",
      .description = kDescription,
      .options = {},
      .statistics = {{"inserted", "Mul nodes inserted"}},
      .requires_facts = {facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kCalibrated, facts::kSparsityApplied,
                    facts::kWeightsRounded},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
