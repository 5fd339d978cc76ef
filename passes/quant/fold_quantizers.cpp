#include "lathe/passes/quant/fold_quantizers.h"

#include "lathe/passes/canonical/operand_folder.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/quant/qdq_parameters.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Turns scales, zero points and bounds that are computed from constants into constants, and values that
QuantizeLinear rounds, since exporters write them through Cast, Unsqueeze or a folded normalisation:

    %z = Cast(%zero) {to = 2}               %q = QuantizeLinear(%x, %s, %z)     (%z is an initializer now)
    %q = QuantizeLinear(%x, %s, %z)

Looked at are the three operands of QuantizeLinear, scale and zero point of DequantizeLinear, the bounds of a
Clip between the two, and integers in front of DequantizeLinear that come from neither: what the two make of
constants stays, since it says what the integers are. Conditions are those of fold-weights.
)";

bool IsRounded(const ir::Value* value) {
  const ir::Node* producer = value == nullptr ? nullptr : value->producer();
  return producer != nullptr && (IsQuantize(*producer) || producer->Is("Clip"));
}

bool FeedsDequantize(const ir::Node& node) {
  for (const ir::Use& use : node.output()->uses()) {
    if (!use.user()->is_return() && IsDequantize(*use.user())) return true;
  }
  return false;
}

// Operands that have to be constants; those that are missing are null.
std::vector<size_t> OperandsOf(const ir::Node& node) {
  if (IsQuantize(node)) return {0, 1, 2};
  if (IsDequantize(node)) {
    return IsRounded(node.input(0)) ? std::vector<size_t>{1, 2} : std::vector<size_t>{0, 1, 2};
  }
  if (node.Is("Clip") && (IsRounded(node.input(0)) || FeedsDequantize(node))) return {1, 2};
  return {};
}

StatusOr<bool> Run(PassContext& context) {
  OperandFolder folder(context);
  for (ir::Graph* graph : context.model().AllGraphs()) {
    // What a fold erases comes before the node whose operand it is, so the list may be walked.
    for (ir::Node& node : graph->nodes()) {
      for (const size_t i : OperandsOf(node)) {
        if (i >= node.num_inputs() || node.input(i) == nullptr) continue;
        LATHE_RETURN_IF_ERROR(folder.Visit(node.inputs()[i]));
      }
    }
  }
  return folder.changed();
}

}  // namespace

const PassDescriptor& FoldQuantizersPass() {
  static const PassDescriptor kPass = {
      .name = "fold-quantizers",
      .summary = "Turn what quantisers read into constants where it is computed from some",
      .description = kDescription,
      .options = {},
      .statistics = {{"folded", "computed values that became constants"},
                     {"shortened", "operands whose constant is no longer behind Identity"},
                     {"left", "constant computations that stay"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kCalibrated, facts::kSearchNInserted,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
