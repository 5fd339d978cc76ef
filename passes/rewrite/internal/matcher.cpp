#include "lathe/passes/rewrite/internal/matcher.h"

#include <algorithm>
#include <utility>

#include "lathe/passes/rewrite/internal/matcher_task.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {

std::string Matcher::Place::ToText() const {
  switch (kind) {
    case Kind::kOperand:
      break;
    case Kind::kResult:
      return fmt::format("result {}", index);
    case Kind::kBodyOutput:
      return fmt::format("output {} of the body", index);
  }
  return fmt::format("operand {}", index);
}

bool Matcher::Fits(const Pattern& pattern, ir::Node& root) {
  GoBack({});
  refused_ = false;
  refusal_ = {};
  steps_ = 0;
  roots_.push_back(&root);
  const Task end = {.kind = Task::Kind::kEnd};
  const Task task = {.kind = Task::Kind::kNode, .next = &end, .pattern = &pattern, .node = &root};
  return Solve(&task);
}

Matcher::Mark Matcher::Remember() const {
  return {match_.nodes_.size(),
          match_.bound_nodes_.size(),
          match_.bound_values_.size(),
          match_.bound_lists_.size(),
          match_.bound_dims_.size(),
          pending_.size(),
          roots_.size()};
}

void Matcher::GoBack(const Mark& mark) {
  match_.nodes_.resize(mark.nodes);
  match_.bound_nodes_.resize(mark.bound_nodes);
  match_.bound_values_.resize(mark.bound_values);
  match_.bound_lists_.resize(mark.bound_lists);
  match_.bound_dims_.resize(mark.bound_dims);
  pending_.resize(mark.pending);
  roots_.resize(mark.roots);
}

bool Matcher::RefuseCondition(const ir::Node& node, const Part* part, std::string_view name,
                              std::string_view where) {
  return Refuse(&node, part, true,
                [&] { return fmt::format("{}condition {} does not hold", where, Quoted(name)); });
}

bool Matcher::Solve(const Task* task) {
  if (task == nullptr) return true;
  if (++steps_ > kMostSteps) {
    // Whatever was refused so far, this is why.
    refused_ = false;
    return Refuse(task->node, nullptr, false, [] {
      return fmt::format("gave up after {} steps: too many alternatives", kMostSteps);
    });
  }
  switch (task->kind) {
    case Task::Kind::kNode:
      return SolveNode(*task);
    case Task::Kind::kNodeDone:
      return SolveNodeDone(*task);
    case Task::Kind::kParts:
      return SolveParts(*task);
    case Task::Kind::kNodeBound:
      return SolveNodeBound(*task);
    case Task::Kind::kOperands:
      return SolveOperands(*task);
    case Task::Kind::kAnyOrder:
      return SolveAnyOrder(*task);
    case Task::Kind::kValue:
      return SolveValue(*task);
    case Task::Kind::kValueDone:
      return SolveValueDone(*task);
    case Task::Kind::kEnd:
      return SolveEnd();
  }
  return false;
}

// ---- The whole match

bool Matcher::IsReadInside(const ir::Value& value) const {
  const auto inside = [&](const ir::Node* node) {
    return std::ranges::find(match_.nodes_, node) != match_.nodes_.end();
  };
  for (const ir::Use& use : value.uses()) {
    const ir::Node& user = *use.user();
    // What a body returns is a result of its owner.
    const ir::Node* reader = user.is_return() ? user.graph()->owner() : &user;
    if (reader == nullptr || !inside(reader)) return false;
    if (user.is_return() || use.index() < user.num_inputs()) continue;
    if (!IsReadInside(*user.capture_value(use.index() - user.num_inputs()))) return false;
  }
  return true;
}

bool Matcher::StaysInside() {
  for (const ir::Node* node : match_.nodes_) {
    if (std::ranges::find(roots_, node) != roots_.end()) continue;
    for (const ir::Value* output : node->outputs()) {
      if (!IsReadInside(*output)) {
        return RefuseCondition(*node, nullptr, "is read only inside the match");
      }
    }
  }
  return true;
}

bool Matcher::SolveEnd() {
  for (const auto& [pattern, node] : pending_) {
    if (pattern->no_escape_ && !StaysInside()) return false;
    for (const auto& condition : pattern->match_conditions_) {
      if (!condition.holds(match_)) return RefuseCondition(*node, nullptr, condition.name);
    }
  }
  return true;
}

std::optional<Match> FindMatch(const Pattern& pattern, ir::Node& root, Refusal* refusal) {
  Matcher matcher(refusal != nullptr);
  if (matcher.Fits(pattern, root)) return std::move(matcher.match());
  if (refusal != nullptr) *refusal = matcher.refusal();
  return std::nullopt;
}

}  // namespace lathe::passes
