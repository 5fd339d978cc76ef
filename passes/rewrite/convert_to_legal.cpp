#include "lathe/passes/rewrite/convert_to_legal.h"

#include <string>
#include <vector>

#include "lathe/passes/rewrite/internal/driver.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr size_t kMostListed = 10;

// "'a' (Foo): lower-foo: operand 1 is not constant", of the rule that got furthest.
std::string Offence(const RuleSet& rules, const RuleIndex& index, ir::Node& node) {
  std::string text = fmt::format("{} ({}): ", Quoted(node.display_name()), node.op_text());
  Refusal furthest;
  const RewriteRule* nearest = nullptr;
  for (const uint32_t number : index.RulesAt(node)) {
    const RewriteRule& rule = rules.rules()[number];
    Refusal refusal;
    // A rule that fits made what it found anew, which ApplyRules would have said.
    if (FindMatch(rule.pattern, node, &refusal)) continue;
    if (nearest != nullptr && refusal.matched_nodes <= furthest.matched_nodes) continue;
    nearest = &rule;
    furthest = std::move(refusal);
  }
  if (nearest == nullptr) return text + "no rule is for it";
  const bool elsewhere = furthest.node != nullptr && furthest.node != &node;
  return text +
         fmt::format("{}: {}", nearest->name, elsewhere ? furthest.ToText() : furthest.reason);
}

}  // namespace

StatusOr<RewriteResult> ConvertToLegal(const RuleSet& rules,
                                       std::function<bool(const ir::Node&)> is_legal,
                                       PassContext& context, RewriteOptions options) {
  options.to_fixed_point = true;
  const auto is_illegal = [&](const ir::Node& node) { return !is_legal(node); };
  LATHE_ASSIGN_OR_RETURN(const RewriteResult result,
                         RuleDriver(rules, context, options, is_illegal).Run());
  const RuleIndex index(rules, context.model());
  std::vector<std::string> offences;
  size_t left = 0;
  for (const ir::Graph* graph : VisitedGraphs(context, options)) {
    for (ir::Node& node : graph->nodes()) {
      if (is_legal(node)) continue;
      if (++left <= kMostListed) offences.push_back(Offence(rules, index, node));
    }
  }
  if (left == 0) return result;
  const std::string more =
      left > kMostListed ? fmt::format("; and {} more", left - kMostListed) : std::string();
  return Unsupported("{} {} no legal form: {}{}", left, left == 1 ? "node has" : "nodes have",
                     fmt::join(offences, "; "), more);
}

}  // namespace lathe::passes
