// Nodes: operator, opset, attributes, results, bodies and other users.
#include <algorithm>
#include <limits>

#include "lathe/passes/rewrite/internal/matcher_task.h"
#include "lathe/passes/rewrite/opset_version_of.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {

namespace {

constexpr size_t kMostUsersTried = 64;

}  // namespace

bool Matcher::HasOperator(const Pattern& pattern, const ir::Node& node) const {
  if (!pattern.alternatives_.empty()) {
    return std::ranges::any_of(pattern.alternatives_, [&](const Pattern& alternative) {
      return HasOperator(alternative, node);
    });
  }
  const bool same_domain = pattern.domain_.empty() || pattern.domain_ == "ai.onnx"
                               ? node.domain().empty() || node.domain_text() == "ai.onnx"
                               : node.domain_text() == pattern.domain_;
  return same_domain &&
         std::ranges::find(pattern.operators_, node.op_text()) != pattern.operators_.end();
}

bool Matcher::SolveNode(const Task& task) {
  const Pattern& pattern = *task.pattern;
  ir::Node& node = *task.node;
  const Part own = {pattern.part_, task.part};
  Task next = task;
  if (!pattern.part_.empty()) next.part = &own;

  if (!HasOperator(pattern, node)) {
    return Refuse(&node, next.part, false, [&] {
      return fmt::format("{} is not {}", node.op_text(), fmt::join(pattern.operators_, " or "));
    });
  }
  const int64_t opset =
      pattern.first_opset_ == 0 && pattern.last_opset_ == std::numeric_limits<int64_t>::max()
          ? 0
          : OpsetVersionOf(node);
  if (opset < pattern.first_opset_ || opset > pattern.last_opset_) {
    return Refuse(&node, next.part, false, [&] {
      return pattern.last_opset_ == std::numeric_limits<int64_t>::max()
                 ? fmt::format("opset is {}, not {} or higher", opset, pattern.first_opset_)
                 : fmt::format("opset is {}, not {} to {}", opset, pattern.first_opset_,
                               pattern.last_opset_);
    });
  }
  for (const auto& attribute : pattern.attributes_) {
    if (!attribute.holds(node)) {
      return Refuse(&node, next.part, false, [&] { return attribute.says(node); });
    }
  }
  if (!pattern.alternatives_.empty()) return SolveAlternatives(next);

  Task done = next;
  done.kind = Task::Kind::kNodeDone;
  if (!pattern.operands_) return Solve(&done);
  const Task operands = {.kind = pattern.any_order_ ? Task::Kind::kAnyOrder : Task::Kind::kOperands,
                         .next = &done,
                         .part = next.part,
                         .pattern = &pattern,
                         .node = &node,
                         .list = &*pattern.operands_};
  return Solve(&operands);
}

bool Matcher::SolveAlternatives(const Task& task) {
  Task done = task;
  done.kind = Task::Kind::kNodeDone;
  const Mark mark = Remember();
  for (const Pattern& alternative : task.pattern->alternatives_) {
    if (!HasOperator(alternative, *task.node)) continue;
    Task taken = task;
    taken.next = &done;
    taken.pattern = &alternative;
    if (Solve(&taken)) return true;
    GoBack(mark);
  }
  return false;
}

// After the operands: a condition is worth a remark only where the operators fit.
bool Matcher::SolveNodeDone(const Task& task) {
  for (const auto& condition : task.pattern->node_conditions_) {
    if (!condition.holds(*task.node)) return RefuseCondition(*task.node, task.part, condition.name);
  }
  Task parts = task;
  parts.kind = Task::Kind::kParts;
  return SolveParts(parts);
}

bool Matcher::SolveParts(const Task& task) {
  const Pattern& pattern = *task.pattern;
  ir::Node& node = *task.node;
  Task next = task;
  ++next.index;
  size_t index = task.index;
  if (index < pattern.results_.size()) {
    const Pattern::ResultPattern& result = pattern.results_[index];
    ir::Value* value = node.output(result.index);
    if (value == nullptr) {
      return Refuse(&node, task.part, false,
                    [&] { return fmt::format("has no result {}", result.index); });
    }
    const Task fits = {.kind = Task::Kind::kValue,
                       .next = &next,
                       .part = task.part,
                       .node = &node,
                       .operand = &result.value,
                       .value = value,
                       .place = {Place::Kind::kResult, result.index}};
    return Solve(&fits);
  }
  index -= pattern.results_.size();
  if (index < pattern.bodies_.size()) {
    const Pattern::BodyPattern& body = pattern.bodies_[index];
    const ir::Attribute* attribute = node.FindAttribute(body.attribute);
    const auto* graph = attribute == nullptr ? nullptr : attribute->get_if<ir::GraphPtr>();
    if (graph == nullptr) {
      return Refuse(&node, task.part, false,
                    [&] { return fmt::format("has no body {}", Quoted(body.attribute)); });
    }
    const Task fits = {.kind = Task::Kind::kOperands,
                       .next = &next,
                       .part = task.part,
                       .node = (*graph)->return_node(),
                       .list = &body.outputs,
                       .place = {Place::Kind::kBodyOutput, 0}};
    return Solve(&fits);
  }
  index -= pattern.bodies_.size();
  if (index < pattern.other_users_.size()) return SolveOtherUser(next, index);
  Task bound = task;
  bound.kind = Task::Kind::kNodeBound;
  return SolveNodeBound(bound);
}

bool Matcher::SolveOtherUser(const Task& task, size_t index) {
  const Pattern::OtherUser& wanted = task.pattern->other_users_[index];
  const ir::Value* shared = match_.Find(ValueHandle{wanted.shared});
  const auto no_other = [&] {
    return Refuse(task.node, task.part, false, [&] {
      return fmt::format("no other node that reads {} fits {}", wanted.shared,
                         fmt::join(wanted.pattern.operators(), " or "));
    });
  };
  if (shared == nullptr) return no_other();
  const Mark mark = Remember();
  size_t tried = 0;
  bool some = false;
  for (const ir::Use& use : shared->uses()) {
    if (++tried > kMostUsersTried) break;
    ir::Node* user = use.user();
    if (user->is_return() || user == task.node || !HasOperator(wanted.pattern, *user) ||
        std::ranges::find(match_.nodes_, user) != match_.nodes_.end()) {
      continue;
    }
    some = true;
    roots_.push_back(user);
    const Task fits = {.kind = Task::Kind::kNode,
                       .next = &task,
                       .part = task.part,
                       .pattern = &wanted.pattern,
                       .node = user};
    if (Solve(&fits)) return true;
    GoBack(mark);
  }
  return some ? false : no_other();
}

bool Matcher::SolveNodeBound(const Task& task) {
  const Pattern& pattern = *task.pattern;
  ir::Node& node = *task.node;
  if (std::ranges::find(match_.nodes_, &node) == match_.nodes_.end()) {
    match_.nodes_.push_back(&node);
  }
  if (!pattern.bind_.empty()) {
    const ir::Node* bound = match_.Find(NodeHandle{pattern.bind_});
    if (bound != nullptr && bound != &node) {
      return Refuse(&node, task.part, false,
                    [&] { return fmt::format("is not the other {}", pattern.bind_); });
    }
    if (bound == nullptr) match_.bound_nodes_.emplace_back(pattern.bind_, &node);
  }
  if (pattern.only_consumer_ && task.value != nullptr) {
    for (const ir::Value* output : node.outputs()) {
      if (output->use_count() != (output == task.value ? 1u : 0u)) {
        return RefuseCondition(node, task.part, "has no other consumer");
      }
    }
    // In bodies on the way, the value goes by other names.
    for (const ir::Value* inner = task.inner; inner != nullptr && inner != task.value;
         inner = inner->captured()->value()) {
      if (!inner->has_one_use()) return RefuseCondition(node, task.part, "has no other consumer");
    }
  }
  if (pattern.no_escape_ || !pattern.match_conditions_.empty()) {
    pending_.emplace_back(&pattern, &node);
  }
  return Solve(task.next);
}

}  // namespace lathe::passes
