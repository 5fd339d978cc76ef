#include "lathe/passes/quant/insert_calibration.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/quant/quant_layer.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Puts an observer on the activation of each marked layer:

    %y = Conv(%x {quant.activation:conv1}, %w)        lathe.Observe(%x) {layer = "conv1"}
                                                      %y = Conv(%x {quant.activation:conv1}, %w)

Observe has no output and changes nothing; whoever runs the graph feeds the values it sees to the layer's
calibration algorithm. A padded AveragePool is observed before its Pad (the reference's 4.1).
)";

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    const ir::Rewriter::OriginScope origin(context.rewriter(), *layer.node);
    ir::NodeSpec spec;
    spec.op = "Observe";
    spec.domain = "lathe";
    spec.name = layer.name + ".observe";
    spec.inputs = {layer.activation->value()};
    spec.attributes = {{"layer", layer.name}};
    spec.outputs = {};
    context.rewriter().CreateNode(*layer.node->graph(), layer.activation->user(), std::move(spec));
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
