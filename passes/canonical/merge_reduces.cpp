#include "lathe/passes/canonical/merge_reduces.h"

#include <algorithm>
#include <array>

#include "lathe/passes/canonical/axes.h"
#include "lathe/passes/canonical/merge_chains.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
One reduction does the work of two in a row:

    %a = ReduceMax{keepdims=0}(%x, [3])        %y = ReduceMax{keepdims=0}(%x, [2, 3])
    %y = ReduceMax{keepdims=0}(%a, [2])

for ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2 and ReduceLogSumExp.

Conditions:
- both are the same operator, and nothing else reads the first's result;
- both name their axes, in an attribute or a constant; those that count from the back do so from a known rank;
- `keepdims` is the same in both, or the first keeps axes that the last reduces again and drops;
- ReduceMean, ReduceL2 and ReduceLogSumExp are of floating point: of integers they round in between.
)";

constexpr std::array<std::string_view, 8> kOperators = {"ReduceSum", "ReduceMean",     "ReduceMax",
                                                        "ReduceMin", "ReduceProd",     "ReduceL1",
                                                        "ReduceL2",  "ReduceLogSumExp"};

bool IsReduction(const ir::Node& node) {
  return node.op_text().starts_with("Reduce") &&
         std::ranges::any_of(kOperators, [&](std::string_view op) { return node.Is(op); });
}

bool RoundsIntegers(const ir::Node& node) {
  return node.Is("ReduceMean") || node.Is("ReduceL2") || node.Is("ReduceLogSumExp");
}

MergeRefusal Merge(PassContext& context, ir::Node& first, ir::Node& last, bool only_use) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Value& input = *first.input(0);
  if (first.op() != last.op()) return "the operators differ";
  if (!only_use) return "the first has other uses";
  if (RoundsIntegers(last) &&
      !(input.type().is_tensor() && ir::IsFloatingPoint(input.type().element))) {
    return "the input is not known to be of floating point";
  }
  const std::optional<std::vector<int64_t>> inner = ExplicitAxes(first, input.type().rank());
  const std::optional<std::vector<int64_t>> outer =
      ExplicitAxes(last, first.output()->type().rank());
  if (!inner || !outer) return "the axes are not known";
  const bool first_keeps = first.IntAttribute("keepdims", 1) != 0;
  const bool last_keeps = last.IntAttribute("keepdims", 1) != 0;
  std::vector<int64_t> axes;
  if (!first_keeps && !last_keeps) {
    axes = UniteAxes(*inner, *outer);
  } else if (first_keeps && (last_keeps || std::ranges::includes(*outer, *inner))) {
    std::ranges::set_union(*inner, *outer, std::back_inserter(axes));
  } else {
    return "keepdims differs";
  }
  SetAxes(rewriter, last, std::move(axes));
  rewriter.SetInput(last, 0, &input);
  return std::nullopt;
}

constexpr ChainFamily kFamily = {IsReduction, Merge};

StatusOr<bool> Run(PassContext& context) { return MergeChains(kFamily, context); }

}  // namespace

const PassDescriptor& MergeReducesPass() {
  static const PassDescriptor kPass = {
      .name = "merge-reduces",
      .summary = "Make one reduction of several in a row",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "pairs of reductions merged"}},
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
