#include "lathe/passes/canonical/no_op.h"

#include <algorithm>

#include "lathe/passes/canonical/hand_on.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

// What is marked as a quantisation point has to stay where it is.
bool HasMarkedOperand(const ir::Node& node) {
  return std::ranges::any_of(node.inputs(),
                             [](const ir::Use& use) { return !use.annotation().empty(); });
}

bool OnlyFirstResultIsUsed(const ir::Node& node) {
  return std::ranges::none_of(node.outputs().subspan(1), &ir::Value::has_uses);
}

}  // namespace

RewriteRule NoOpRule(std::string_view name, std::initializer_list<std::string_view> operators,
                     std::string_view condition, SameValue same) {
  const std::vector<std::string> names(operators.begin(), operators.end());
  Pattern pattern = Pattern(names)
                        .Where(condition,
                               [same](const ir::Node& node) {
                                 return node.num_outputs() != 0 && !HasUnknownAttributes(node) &&
                                        same(node) != nullptr;
                               })
                        .Where("no operand is marked",
                               [](const ir::Node& node) { return !HasMarkedOperand(node); })
                        .Where("only the first result is used", OnlyFirstResultIsUsed)
                        .Where("no graph output loses its producer", [same](const ir::Node& node) {
                          return CanHandOn(*node.output(), *same(node));
                        });
  return {name, std::move(pattern), [same](const Match& match, PassContext& context) {
            ir::Node& node = match.root();
            HandOn(context.rewriter(), *node.output(), *same(node));
            context.rewriter().Erase(node);
            context.Count("removed");
            return OkStatus();
          }};
}

StatusOr<bool> ApplyNoOpRules(const std::vector<RewriteRule>& rules, PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(
      const RewriteResult result,
      ApplyRules(rules, context, {.remarks = RewriteOptions::Remarks::kApplied}));
  return result.changed();
}

PassDescriptor NoOpDescriptor(std::string_view name, std::string_view summary,
                              std::string_view description) {
  return {
      .name = name,
      .summary = summary,
      .description = description,
      .options = {},
      .statistics = {{"removed", "nodes removed"}},
      .requires_facts = {},
      .establishes = {},
      // Not conv-bn-fused: a BatchNormalization may move next to its convolution.
      // Not weights-folded: what two layers had a copy each of, they may share afterwards.
      .preserves = {facts::kShapesInferred, facts::kQuantPointsMarked, facts::kCalibrated,
                    facts::kSearchNInserted, facts::kSparsityApplied, facts::kAscendLowered},
      .scope = PassScope::kGraphs,
  };
}

}  // namespace lathe::passes
