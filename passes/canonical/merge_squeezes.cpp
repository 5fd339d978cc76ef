#include "lathe/passes/canonical/merge_squeezes.h"

#include <algorithm>

#include "lathe/passes/canonical/axes.h"
#include "lathe/passes/canonical/merge_chains.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
One Squeeze or Unsqueeze does the work of two in a row:

    %a = Unsqueeze(%x, [0])           %y = Unsqueeze(%x, [0, 3])
    %y = Unsqueeze(%a, [3])

    %a = Unsqueeze(%x, [0, 2])        %y = Unsqueeze(%x, [0])
    %y = Squeeze(%a, [2])

Squeeze after Unsqueeze, or the other way round, of the same axes becomes an Identity. Needs no shapes, so it
also works where merge-reshapes cannot.

Conditions:
- both name their axes, in an attribute or a constant, each once; those that count from the back do so from a
  known rank;
- Squeeze after Unsqueeze: all axes of one are among those of the other; Unsqueeze after Squeeze: the same axes;
- nothing else reads the first's result, unless the last becomes an Identity.
)";

MergeRefusal Merge(PassContext& context, ir::Node& first, ir::Node& last, bool only_use) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Value& input = *first.input(0);
  const bool first_adds = first.Is("Unsqueeze");
  const bool last_adds = last.Is("Unsqueeze");
  const int middle_rank = first.output()->type().rank();
  const std::optional<std::vector<int64_t>> inner =
      ExplicitAxes(first, first_adds ? middle_rank : input.type().rank());
  const std::optional<std::vector<int64_t>> outer =
      ExplicitAxes(last, last_adds ? last.output()->type().rank() : middle_rank);
  if (!inner || !outer) return "the axes are not known";
  if (first_adds != last_adds && *inner == *outer) {
    BecomeIdentity(rewriter, last, input);
    return std::nullopt;
  }
  if (!only_use) return "the first has other uses";
  if (first_adds == last_adds) {
    // Axes of the larger tensor: the last's of Unsqueeze, the first's of Squeeze.
    SetAxes(rewriter, last, first_adds ? UniteAxes(*outer, *inner) : UniteAxes(*inner, *outer));
  } else if (!first_adds) {
    return "the axes differ";
  } else if (std::ranges::includes(*inner, *outer)) {
    rewriter.SetOperator(last, "Unsqueeze", last.domain_text());
    SetAxes(rewriter, last, RemoveAxes(*inner, *outer));
  } else if (std::ranges::includes(*outer, *inner)) {
    SetAxes(rewriter, last, RemoveAxes(*outer, *inner));
  } else {
    return "the axes differ";
  }
  rewriter.SetInput(last, 0, &input);
  return std::nullopt;
}

constexpr ChainFamily kFamily = {
    [](const ir::Node& node) { return node.Is("Squeeze") || node.Is("Unsqueeze"); }, Merge};

StatusOr<bool> Run(PassContext& context) { return MergeChains(kFamily, context); }

}  // namespace

const PassDescriptor& MergeSqueezesPass() {
  static const PassDescriptor kPass = {
      .name = "merge-squeezes",
      .summary = "Make one Squeeze or Unsqueeze of several in a row",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "pairs of Squeeze or Unsqueeze merged"}},
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
