#include "lathe/passes/quant/mark_quant_points.h"

#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/quant/quant_point.h"
#include "lathe/passes/quant/tensor_point.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/config/tensor_quantize.h"
#include "lathe/support/nearest_names.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Decides which operands are quantised and writes the decision onto them; later passes only follow the marks.

    %y = Conv(%x, %w, %b)        %y = Conv(%x {quant.activation:conv1}, %w {quant.weight:conv1},
                                           %b {quant.bias:conv1})

Of LSTM and GRU, R and initial_h are marked too (quant.recurrence, quant.hidden). An input of Add or MaxPool
that is quantised on its own (tensor_quantize) is marked by its node and its place:

    %y = Add(%a, %b)             %y = Add(%a {quant.tensor:add:0}, %b)

The layers are those of the record, if one is given (each entry with factors), else the enabled layers of the
configuration. Marks of an earlier run are removed. Each marked node also gets the attribute `op_data_type`
(`float` or `float16`, after its weight), the reference's own note in modified models.

An entry that names no node, or a node that is no layer, or an input that is not float32, is an error. A layer's name is its node's name, or
the name of the node it came from.
)";

void ClearMarks(ir::Rewriter& rewriter, ir::Graph& graph) {
  VisitNodes(graph, [&](ir::Node& node) {
    for (ir::Use& use : node.operands()) {
      if (FindQuantPoint(use)) rewriter.SetAnnotation(use, {});
    }
  });
}

// What a mark is, place by place: equal lists before and after mean that nothing changed.
std::vector<ir::Name> Marks(ir::Graph& graph) {
  std::vector<ir::Name> marks;
  VisitNodes(graph, [&](ir::Node& node) {
    for (const ir::Use& use : node.operands()) marks.push_back(use.annotation());
    marks.push_back(node.FindAttribute("op_data_type") == nullptr ? ir::Name() : node.op());
  });
  return marks;
}

// What to mark, in no particular order: names of layers, keys of inputs.
struct Wanted {
  std::vector<std::string> layers;
  std::vector<std::string> tensors;
};

StatusOr<Wanted> FindWanted(const PassContext& context) {
  Wanted wanted;
  if (const auto* record = context.Find<quant::Record>()) {
    for (const quant::RecordEntry& entry : record->entries) {
      if (!entry.key || !entry.value || quant::HasNoFactors(*entry.value)) continue;
      const bool tensor = entry.value->is_tensor_quantize.value_or(false);
      (tensor ? wanted.tensors : wanted.layers).push_back(*entry.key);
    }
    return wanted;
  }
  LATHE_ASSIGN_OR_RETURN(const auto* settings,
                         context.Need<quant::QuantSettings>("a configuration or a record"));
  for (const quant::LayerSettings& layer : settings->layers) wanted.layers.push_back(layer.name);
  for (const quant::TensorSettings& tensor : settings->tensors) {
    wanted.tensors.push_back(tensor.key);
  }
  return wanted;
}

// Nodes by the node's own name first, that of a node of the main graph before that of one in a
// body; then by the names of the nodes it came from.
absl::flat_hash_map<std::string_view, ir::Node*> IndexNodes(const ir::Model& model) {
  absl::flat_hash_map<std::string_view, ir::Node*> index;
  for (ir::Node& node : model.graph().nodes()) {
    if (!node.name().empty()) index.try_emplace(node.name_text(), &node);
  }
  VisitNodes(model.graph(), [&](ir::Node& node) {
    if (!node.name().empty()) index.try_emplace(node.name_text(), &node);
  });
  VisitNodes(model.graph(), [&](ir::Node& node) {
    for (const ir::Name name : model.OriginNames(node.origin())) {
      index.try_emplace(model.Text(name), &node);
    }
  });
  return index;
}

Status UnknownLayer(const ir::Model& model, const std::string& name) {
  std::vector<std::string_view> names;
  VisitNodes(model.graph(), [&](const ir::Node& node) { names.push_back(node.name_text()); });
  Status status = InvalidInput("the model has no layer '{}'", name);
  const std::string near = DidYouMean(name, names);
  return near.empty() ? status : WithContext(status, ErrorContext::kHint, near);
}

// Of a value whose type need not be known: float operators hand on that of their first input, those
// with weights that of the weight. O(nodes upstream).
ir::ElementType FloatTypeOf(const ir::Value* value) {
  while (value != nullptr) {
    value = value->Resolve();
    if (value->type().is_tensor()) return value->type().element;
    const ir::Node* producer = value->producer();
    if (producer == nullptr) break;
    if (producer->Is("Cast")) return static_cast<ir::ElementType>(producer->IntAttribute("to", 0));
    const ir::Tensor weight =
        producer->input(1) == nullptr ? ir::Tensor() : producer->input(1)->ConstantTensor();
    if (weight && (weight.element_type() == ir::ElementType::kFloat32 ||
                   weight.element_type() == ir::ElementType::kFloat16)) {
      return weight.element_type();
    }
    value = producer->input(0);
  }
  return ir::ElementType::kUndefined;
}

void Mark(ir::Rewriter& rewriter, const QuantLayer& layer) {
  MarkQuantPoint(rewriter, *layer.activation, QuantRole::kActivation, layer.name);
  ir::ElementType element = ir::ElementType::kUndefined;
  if (layer.weight != nullptr) {
    MarkQuantPoint(rewriter, *layer.weight, QuantRole::kWeight, layer.name);
    element = layer.weight->value()->ConstantTensor().element_type();
  } else {
    element = FloatTypeOf(layer.activation->value());
  }
  const bool half = element == ir::ElementType::kFloat16;
  if (layer.bias != nullptr) MarkQuantPoint(rewriter, *layer.bias, QuantRole::kBias, layer.name);
  if (layer.is_recurrent()) {
    if (layer.hidden != nullptr) {
      MarkQuantPoint(rewriter, *layer.hidden, QuantRole::kHidden, layer.name);
    }
    MarkQuantPoint(rewriter, *layer.recurrence, QuantRole::kRecurrence, layer.name);
  }
  if (layer.node->FindAttribute("op_data_type") == nullptr) {
    rewriter.SetAttribute(*layer.node, "op_data_type", std::string(half ? "float16" : "float"));
  }
}

Status MarkTensor(ir::Rewriter& rewriter, ir::Node& node, size_t index, const std::string& key) {
  const auto inspected = InspectTensorNode(node);
  if (!inspected || index >= inspected->refusals.size()) {
    return InvalidInput("'{}' names no input of an Add or MaxPool", key);
  }
  std::string refusal = inspected->refusals[index];
  const ir::ElementType element = FloatTypeOf(node.input(index));
  if (refusal.empty() && element != ir::ElementType::kUndefined &&
      element != ir::ElementType::kFloat32) {
    refusal =
        fmt::format("it is {}, only f32 is quantised on its own", ir::ElementTypeName(element));
  }
  if (!refusal.empty()) return InvalidInput("input {} cannot be quantised: {}", index, refusal);
  MarkQuantPoint(rewriter, node.inputs()[index], QuantRole::kTensor, key);
  return OkStatus();
}

StatusOr<bool> Run(PassContext& context) {
  ir::Model& model = context.model();
  LATHE_ASSIGN_OR_RETURN(const Wanted wanted, FindWanted(context));
  const std::vector<ir::Name> before = Marks(model.graph());
  ClearMarks(context.rewriter(), model.graph());
  const auto index = IndexNodes(model);
  for (const std::string& name : wanted.layers) {
    const auto it = index.find(name);
    if (it == index.end()) return UnknownLayer(model, name);
    const auto inspected = InspectLayer(*it->second);
    if (const auto* other = std::get_if<NotALayer>(&inspected)) {
      const std::string reason = other->reason.empty() ? "is never quantised" : other->reason;
      return WithContext(
          InvalidInput("a {} layer that cannot be quantised: {}", other->type, reason),
          ErrorContext::kNode, name);
    }
    Mark(context.rewriter(), std::get<QuantLayer>(inspected));
    context.Count("layers");
  }
  for (const std::string& key : wanted.tensors) {
    const auto tensor = quant::ParseTensorKey(key);
    if (!tensor) return InvalidInput("'{}' names no input: it is NODE:INDEX", key);
    const auto it = index.find(tensor->node);
    if (it == index.end()) return UnknownLayer(model, std::string(tensor->node));
    const Status status = MarkTensor(context.rewriter(), *it->second, tensor->input_index, key);
    if (!status.ok()) {
      return WithContext(status, ErrorContext::kNode, std::string(tensor->node));
    }
    context.Count("tensors");
  }
  return Marks(model.graph()) != before;
}

}  // namespace

const PassDescriptor& MarkQuantPointsPass() {
  static const PassDescriptor kPass = {
      .name = "mark-quant-points",
      .summary = "Annotate the operands that are to be quantised",
      .description = kDescription,
      .options = {},
      .statistics = {{"layers", "layers marked"}, {"tensors", "inputs marked on their own"}},
      .requires_facts = {},
      .establishes = {facts::kQuantPointsMarked},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kCalibrated, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
