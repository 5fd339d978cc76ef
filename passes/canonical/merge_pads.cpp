#include "lathe/passes/canonical/merge_pads.h"

#include "lathe/passes/canonical/merge_chains.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/read_pad.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
One Pad does the work of two in a row:

    %a = Pad(%x, [0, 0, 1, 1, 0, 0, 1, 1])        %y = Pad(%x, [0, 0, 2, 1, 0, 0, 1, 1])
    %y = Pad(%a, [0, 0, 1, 0, 0, 0, 0, 0])

Conditions:
- nothing else reads the first's result;
- the amounts of both are constants, and none is negative;
- both have mode `constant` and the same constant value, or both have mode `edge`.
)";

MergeRefusal Merge(PassContext& context, ir::Node& first, ir::Node& last, bool only_use) {
  if (!only_use) return "the first has other uses";
  ir::Value& input = *first.input(0);
  const std::optional<PadAmounts> inner = ReadPad(first);
  std::optional<PadAmounts> outer = ReadPad(last);
  if (!inner || !outer || inner->begin.size() != outer->begin.size()) {
    return "the amounts are not known";
  }
  if (inner->any_negative() || outer->any_negative()) return "an amount is negative";
  if (inner->mode != outer->mode || (inner->mode != "constant" && inner->mode != "edge")) {
    return fmt::format("the modes are {} and {}", inner->mode, outer->mode);
  }
  if (inner->mode == "constant") {
    const std::optional<double> inner_value = PadValue(first);
    // NaN differs from itself and so is left alone.
    if (!inner_value || inner_value != PadValue(last)) return "the constant values differ";
  }
  for (size_t i = 0; i < inner->begin.size(); ++i) {
    outer->begin[i] += inner->begin[i];
    outer->end[i] += inner->end[i];
  }
  SetPadAmounts(context.rewriter(), last, *outer);
  context.rewriter().SetInput(last, 0, &input);
  return std::nullopt;
}

constexpr ChainFamily kFamily = {[](const ir::Node& node) { return node.Is("Pad"); }, Merge};

StatusOr<bool> Run(PassContext& context) { return MergeChains(kFamily, context); }

}  // namespace

const PassDescriptor& MergePadsPass() {
  static const PassDescriptor kPass = {
      .name = "merge-pads",
      .summary = "Make one Pad of several in a row",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "pairs of Pad merged"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kCalibrated, facts::kSearchNInserted, facts::kSparsityApplied,
                    facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
