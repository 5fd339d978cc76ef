#include "lathe/passes/lowering/lower_to_deploy.h"

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/lowering/layer_factors.h"
#include "lathe/passes/lowering/pack_int4.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Finishes a lowered graph for the accelerator: 4-bit weights are packed in pairs along the input channels
(byte = first & 15 | second << 4, the reference's 5.5), and the note `op_data_type` is removed:

    %y = Conv(%q, %w: i8[N, C, H, W]) {op_data_type = "float"}        %y = Conv(%q, %w: i8[N, C / 2, H, W])

A 4-bit weight with an odd number of input channels is an error.
)";

// The axis of the weight that counts input channels (the reference's 3.3, after
// transpose-gemm-weight).
size_t CinAxis(const ir::Node& node) {
  if (node.Is("Conv")) return 1;
  if (!node.Is("MatMul")) return 0;
  return static_cast<size_t>(node.input(1)->ConstantTensor().rank()) - 2;
}

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const auto* record, context.Need<quant::Record>("a record"));
  ir::Rewriter& rewriter = context.rewriter();
  bool changed = false;
  for (const QuantLayer& layer : MarkedLayers(context.model())) {
    LATHE_ASSIGN_OR_RETURN(const LayerFactors factors, FactorsOf(*record, layer.name));
    if (layer.weight == nullptr || factors.bits.weight != 4) continue;
    StatusOr<ir::Tensor> packed =
        PackInt4(layer.weight->value()->ConstantTensor(), CinAxis(*layer.node));
    if (!packed.ok()) return WithContext(packed.status(), ErrorContext::kNode, layer.name);
    SetConstantInput(rewriter, *layer.node, layer.weight->index(), *std::move(packed));
    context.Count("packed");
    changed = true;
  }
  VisitNodes(context.model().graph(), [&](ir::Node& node) {
    if (node.FindAttribute("op_data_type") == nullptr) return;
    rewriter.RemoveAttribute(node, "op_data_type");
    changed = true;
  });
  return changed;
}

}  // namespace

const PassDescriptor& LowerToDeployPass() {
  static const PassDescriptor kPass = {
      .name = "lower-to-deploy",
      .summary = "Finish a lowered graph for the accelerator",
      .description = kDescription,
      .options = {},
      .statistics = {{"packed", "4-bit weights packed"}},
      .requires_facts = {facts::kAscendLowered, facts::kQuantPointsMarked},
      .establishes = {},
      .preserves = {facts::kConvBnFused, facts::kWeightsFolded, facts::kCalibrated,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
