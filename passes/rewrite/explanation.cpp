#include "lathe/passes/rewrite/explanation.h"

#include <algorithm>

#include "lathe/passes/core/find_node.h"

namespace lathe::passes {

StatusOr<Explanation> Explanation::Of(std::string_view name, const ir::Model& model) {
  LATHE_ASSIGN_OR_RETURN(const ir::Node* node, FindNode(model, name));
  Explanation explanation;
  explanation.node_ = node->display_name();
  explanation.id_ = node->id();
  explanation.name_ = model.Intern(explanation.node_);
  if (explanation.node_ == name) return explanation;
  for (const ir::Value* output : node->outputs()) {
    if (output->name_text() == name) explanation.value_ = output->name();
  }
  return explanation;
}

bool Explanation::Wants(const ir::Node& root) {
  if (root.name() == name_ || root.id() == id_) return true;
  for (const ir::Value* output : root.outputs()) {
    if (!value_.empty() && output->name() == value_) return true;
  }
  const auto [it, inserted] = origins_.try_emplace(root.origin().id, false);
  if (inserted) {
    const std::vector<ir::Name> names = root.model().OriginNames(root.origin());
    it->second = std::ranges::find(names, name_) != names.end();
  }
  return it->second;
}

void Explanation::Start(const PassContext& context, const ir::Node& node, bool as_part) {
  visits_.push_back({.pass = std::string(context.pass_name()),
                     .node = node.display_name(),
                     .op = std::string(node.op_text()),
                     .as_part = as_part});
}

std::vector<Explanation::Visit> Explanation::visits() const {
  std::vector<Visit> visits = visits_;
  visits.erase(std::unique(visits.begin(), visits.end()), visits.end());
  return visits;
}

void Explanation::OnVisit(const PassContext& context, const ir::Node& root) {
  Start(context, root, /*as_part=*/false);
}

void Explanation::OnRefused(const RewriteRule& rule, const ir::Node&, const Refusal& refusal) {
  visits_.back().attempts.push_back({.rule = std::string(rule.name),
                                     .reason = refusal.ToText(),
                                     .matched_nodes = refusal.matched_nodes});
}

void Explanation::OnFits(const PassContext& context, const RewriteRule& rule, const Match& match) {
  const auto attempt_of = [&](const ir::Node& node) {
    Attempt attempt{.rule = std::string(rule.name), .fits = true};
    for (const ir::Node* other : match.nodes()) {
      if (other != &node) attempt.with.push_back(other->display_name());
    }
    return attempt;
  };
  if (Wants(match.root())) visits_.back().attempts.push_back(attempt_of(match.root()));
  for (const ir::Node* node : match.nodes()) {
    if (node == &match.root() || !Wants(*node)) continue;
    Start(context, *node, /*as_part=*/true);
    visits_.back().attempts.push_back(attempt_of(*node));
  }
}

}  // namespace lathe::passes
