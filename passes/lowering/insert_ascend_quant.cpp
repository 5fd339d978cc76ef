#include "lathe/passes/lowering/insert_ascend_quant.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/lowering/layer_factors.h"
#include "lathe/quant/affine.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Quantises the activation of each marked layer:

    %y = Conv(%x, ...)        %q = AscendQuant(%x) {scale = 1/scale_d, offset = offset_d, dst_type = "INT8"}
                              %y = Conv(%q, ...)

AscendQuant computes clamp(round(x * scale) + offset) (the reference's 5.1). The node is called
`<layer>.quant`, its output `<layer>.quant.output0`. Before a padded AveragePool it stands before the Pad.
Layers of type LSTM and GRU are left to their own lowering.
)";

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  ir::Rewriter& rewriter = context.rewriter();
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    if (layer.is_recurrent()) continue;
    LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(*record, layer.name));
    ir::Value* input = layer.activation->value();
    ir::Node* user = layer.activation->user();
    const ir::Rewriter::OriginScope origin(rewriter, *layer.node);
    ir::NodeSpec spec;
    spec.op = "AscendQuant";
    spec.name = layer.name + ".quant";
    spec.inputs = {input};
    spec.attributes = {{"scale", quant::Reciprocal(factors.scale_d)},
                       {"offset", static_cast<float>(factors.offset_d)},
                       {"dst_type", fmt::format("INT{}", factors.bits.activation)}};
    ir::Node& node = rewriter.CreateNode(*user->graph(), user, std::move(spec));
    const auto type =
        factors.bits.activation == 16 ? ir::ElementType::kInt16 : ir::ElementType::kInt8;
    if (input->type().is_tensor()) {
      rewriter.SetType(*node.output(),
                       context.model().Intern(ir::Type::Tensor(type, input->type().shape)));
    }
    rewriter.ReplaceUse(*layer.activation, node.output());
    context.Count("inserted");
    changed = true;
  }
  return changed;
}

}  // namespace

const PassDescriptor& InsertAscendQuantPass() {
  static const PassDescriptor kPass = {
      .name = "insert-ascend-quant",
      .summary = "Quantise the activation of each marked layer with AscendQuant",
      .description = kDescription,
      .options = {},
      .statistics = {{"inserted", "AscendQuant nodes inserted"}},
      .requires_facts = {facts::kQuantPointsMarked, facts::kCalibrated},
      .establishes = {facts::kAscendLowered},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
