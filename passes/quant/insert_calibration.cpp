#include "lathe/passes/quant/insert_calibration.h"

#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/lift_value.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/quant/tensor_point.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Puts an observer on the activation of each marked layer:

    %y = Conv(%x {quant.activation:conv1}, %w)        lathe.Observe(%x) {layer = "conv1"}
                                                      %y = Conv(%x {quant.activation:conv1}, %w)

Of LSTM and GRU the hidden state is observed too, under the attribute `hidden = 1`: initial_h and what the
layer computes for every step but the last (the reference's 4.1), in one run of values:

    %h' = Concat(Reshape(%h, [-1]), Reshape(Slice(%y, [0], [-1], [0]), [-1]))

What runs in reverse has its last result first, so that %y[1:] is seen of it; of a bidirectional layer both
directions are, in one run. Where initial_h is left out, a zero stands for it.

So are marked inputs of Add and MaxPool, under their key and the attribute `tensor = 1`.

What a layer inside of a body sees is led out through new outputs of the nodes around it, and observed in the
main graph.

Observe has no output and changes nothing; whoever runs the graph feeds the values it sees to the layer's
calibration algorithm. A padded AveragePool is observed before its Pad (the reference's 4.1).
)";

// What an observer is told: whose factors these will be, and whether they are a hidden state's or
// those of an input on its own.
struct Subject {
  std::string layer;
  bool hidden = false;
  bool tensor = false;
};

// `element` is the value's type where it is not known.
void Observe(ir::Rewriter& rewriter, const Subject& subject, ir::Value& value, ir::Node* before,
             ir::ElementType element) {
  const std::string name = subject.layer + (subject.hidden ? ".hidden.observe" : ".observe");
  ir::Value* seen = &value;
  if (value.graph()->owner() != nullptr) {
    seen = &LiftToMainGraph(rewriter, value, element, name);
    before = seen->producer()->next();
  }
  ir::NodeSpec spec;
  spec.op = "Observe";
  spec.domain = "lathe";
  spec.name = name;
  spec.inputs = {seen};
  spec.attributes = {{"layer", subject.layer}};
  if (subject.hidden) spec.attributes.emplace_back("hidden", int64_t{1});
  if (subject.tensor) spec.attributes.emplace_back("tensor", int64_t{1});
  spec.outputs = {};
  rewriter.CreateNode(rewriter.model().graph(), before, std::move(spec));
}

ir::ElementType ElementOf(const QuantLayer& layer, const ir::Value& value) {
  if (layer.weight != nullptr) return layer.weight->value()->ConstantTensor().element_type();
  return value.type().is_tensor() ? value.type().element : ir::ElementType::kFloat32;
}

// initial_h and the result of every step but the last, in one run; of all directions.
void ObserveHidden(ir::Rewriter& rewriter, const QuantLayer& layer) {
  ir::Graph& graph = *layer.node->graph();
  ir::Node* const behind = layer.node->next();
  const std::string prefix = layer.name + ".hidden";
  ir::Value& steps = *layer.node->output(0);
  if (steps.name().empty()) {
    rewriter.Rename(steps, rewriter.model().UniqueValueName(prefix + ".steps"));
  }
  const auto constant = [&](const std::string& suffix, const std::vector<int64_t>& values) {
    const auto count = static_cast<int64_t>(values.size());
    return &rewriter.CreateInitializer(graph, prefix + suffix, ir::Tensor::Of({count}, values));
  };
  const auto insert = [&](std::string op, const std::string& suffix,
                          std::vector<ir::Value*> inputs) {
    ir::NodeSpec spec;
    spec.op = std::move(op);
    spec.name = prefix + suffix;
    spec.inputs = std::move(inputs);
    if (spec.op == "Concat") spec.attributes = {{"axis", int64_t{0}}};
    return rewriter.CreateNode(graph, behind, std::move(spec)).output();
  };
  ir::Value* flat = constant(".flat", {-1});
  std::vector<ir::Value*> runs;
  if (layer.hidden != nullptr) {
    runs.push_back(insert("Reshape", ".initial", {layer.hidden->value(), flat}));
  } else {
    const ir::ElementType element = layer.weight->value()->ConstantTensor().element_type();
    const std::array<float, 1> zero = {0.0f};
    runs.push_back(&rewriter.CreateInitializer(graph, prefix + ".zero",
                                               FloatTensor(element, std::array{int64_t{1}}, zero)));
  }
  // Along the steps, and where there are two directions along these.
  const auto see = [&](const std::string& suffix, const std::vector<int64_t>& from,
                       const std::vector<int64_t>& to) {
    std::vector<int64_t> axes = {0};
    if (from.size() > 1) axes.push_back(1);
    ir::Value* part = insert("Slice", ".but_last" + suffix,
                             {&steps, constant(".first" + suffix, from),
                              constant(".end" + suffix, to), constant(".axis" + suffix, axes)});
    runs.push_back(insert("Reshape", ".later" + suffix, {part, flat}));
  };
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  if (layer.directions == 2) {
    see("", {0, 0}, {-1, 1});
    see(".reverse", {1, 1}, {kEnd, 2});
  } else if (layer.node->StringAttribute("direction", "forward") == "reverse") {
    see("", {1}, {kEnd});
  } else {
    see("", {0}, {-1});
  }
  ir::Value& all = *insert("Concat", ".all", runs);
  Observe(rewriter, {.layer = layer.name, .hidden = true}, all, behind, ElementOf(layer, all));
}

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    const ir::Rewriter::OriginScope origin(context.rewriter(), *layer.node);
    ir::Value& value = *layer.activation->value();
    Observe(context.rewriter(), {.layer = layer.name}, value, layer.activation->user(),
            ElementOf(layer, value));
    context.Count("observers");
    if (layer.is_recurrent()) {
      ObserveHidden(context.rewriter(), layer);
      context.Count("observers");
    }
    changed = true;
  }
  for (const TensorPoint& point : MarkedTensors(context.model())) {
    const ir::Rewriter::OriginScope origin(context.rewriter(), *point.use->user());
    Observe(context.rewriter(), {.layer = point.key, .tensor = true}, *point.use->value(),
            point.use->user(), ir::ElementType::kFloat32);
    context.Count("observers");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& InsertCalibrationPass() {
  static const PassDescriptor kPass = {
      .name = "insert-calibration",
      .summary = "Put an observer on the activation of each marked layer",
      .description = kDescription,
      .options = {},
      .statistics = {{"observers", "observers inserted"}},
      .requires_facts = {facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
