#include "lathe/passes/rewrite/internal/matcher.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lathe/passes/rewrite/opset_version_of.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr size_t kMostSteps = 20000;
constexpr size_t kMostUsersTried = 64;

}  // namespace

// A named part of the pattern, and the one around it.
struct Matcher::Part {
  std::string_view name;
  const Part* outer;
};

struct Matcher::Task {
  enum class Kind {
    kNode,       // `node` fits `pattern`
    kNodeDone,   // its operands do
    kParts,      // its results, bodies and other users from `index` on are left
    kNodeBound,  // and all that is left is to note it
    kOperands,   // the operands of `node` from `index` on fit `list`
    kAnyOrder,   // the same in any order; `taken` leads to the operands given away
    kValue,      // `value` fits `operand`
    kValueDone,  // its producer does
    kEnd,        // everything fits
  };
  Kind kind;
  const Task* next = nullptr;
  const Part* part = nullptr;
  const Pattern* pattern = nullptr;
  ir::Node* node = nullptr;
  const std::vector<Operand>* list = nullptr;
  const Operand* operand = nullptr;
  // Of kNode: the operand through which the node was reached.
  ir::Value* value = nullptr;
  // What the value was before Captured looked outside.
  ir::Value* inner = nullptr;
  Place place = {};
  size_t index = 0;
  const Task* taken = nullptr;
};

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

template <typename MakeText>
bool Matcher::Refuse(const ir::Node* node, const Part* part, bool by_condition, MakeText text) {
  const size_t matched = match_.nodes_.size();
  if (refused_) {
    const bool further = matched != refusal_.matched_nodes ? matched > refusal_.matched_nodes
                                                           : by_condition && !refusal_.by_condition;
    if (!further) return false;
  }
  refused_ = true;
  // The outputs of a body are those of its owner.
  refusal_.node = node != nullptr && node->is_return() ? node->graph()->owner() : node;
  refusal_.by_condition = by_condition;
  refusal_.matched_nodes = matched;
  if (!explain_) return false;
  refusal_.reason = text();
  if (part == nullptr) return false;
  std::string names(part->name);
  for (part = part->outer; part != nullptr; part = part->outer) {
    names = fmt::format("{}, {}", part->name, names);
  }
  refusal_.reason = fmt::format("in {}: {}", names, refusal_.reason);
  return false;
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

// ---- Nodes

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

// ---- Operands

bool Matcher::SolveOperands(const Task& task) {
  const std::vector<Operand>& list = *task.list;
  ir::Node& node = *task.node;
  const size_t i = task.index;
  if (i == list.size() || list[i].rest_) {
    std::vector<size_t> left;
    for (size_t j = i; j < node.num_inputs(); ++j) left.push_back(j);
    return SolveRest(task, left);
  }
  Task next = task;
  ++next.index;
  const Task fits = {.kind = Task::Kind::kValue,
                     .next = &next,
                     .part = task.part,
                     .node = &node,
                     .operand = &list[i],
                     .value = node.input(i),
                     .place = {task.place.kind, i}};
  return Solve(&fits);
}

// `task` stands at the Rest, or behind the last operand: then nothing may be left.
bool Matcher::SolveRest(const Task& task, const std::vector<size_t>& left) {
  ir::Node& node = *task.node;
  if (task.index == task.list->size()) {
    for (const size_t i : left) {
      if (node.input(i) == nullptr) continue;
      return Refuse(&node, task.part, false, [&] {
        return fmt::format("has an {}, the pattern only {}", Place{task.place.kind, i}.ToText(),
                           task.list->size());
      });
    }
    return Solve(task.next);
  }
  const Operand& rest = (*task.list)[task.index];
  static const Operand kAnyValue = Any();
  std::vector<ir::Value*> values;
  for (const size_t i : left) {
    // A task of its own, with steps of its own: lists of any length, without a stack as deep.
    const Task fits = {.kind = Task::Kind::kValue,
                       .part = task.part,
                       .node = &node,
                       .operand = rest.each_ != nullptr ? rest.each_.get() : &kAnyValue,
                       .value = node.input(i),
                       .place = {task.place.kind, i}};
    const size_t steps = std::exchange(steps_, 0);
    const bool fits_rest = Solve(&fits);
    steps_ = steps;
    if (!fits_rest) return false;
    values.push_back(node.input(i));
  }
  if (!rest.bind_.empty()) match_.bound_lists_.emplace_back(rest.bind_, std::move(values));
  return Solve(task.next);
}

bool Matcher::SolveAnyOrder(const Task& task) {
  const std::vector<Operand>& list = *task.list;
  ir::Node& node = *task.node;
  const auto is_taken = [&](size_t input) {
    for (const Task* taken = task.taken; taken != nullptr; taken = taken->taken) {
      if (taken->place.index == input) return true;
    }
    return false;
  };
  if (task.index == list.size() || list[task.index].rest_) {
    std::vector<size_t> left;
    for (size_t j = 0; j < node.num_inputs(); ++j) {
      if (!is_taken(j)) left.push_back(j);
    }
    return SolveRest(task, left);
  }
  const Operand& operand = list[task.index];
  const Mark mark = Remember();
  bool some = false;
  for (size_t j = 0; j < node.num_inputs() && steps_ <= kMostSteps; ++j) {
    if (is_taken(j) || node.input(j) == nullptr) continue;
    some = true;
    const Task link = {
        .kind = Task::Kind::kEnd, .place = {task.place.kind, j}, .taken = task.taken};
    Task next = task;
    ++next.index;
    next.taken = &link;
    const Task fits = {.kind = Task::Kind::kValue,
                       .next = &next,
                       .part = task.part,
                       .node = &node,
                       .operand = &operand,
                       .value = node.input(j),
                       .place = {task.place.kind, j}};
    if (Solve(&fits)) return true;
    GoBack(mark);
  }
  if (operand.optional_) {
    Task next = task;
    ++next.index;
    return Solve(&next);
  }
  if (some) return false;
  return Refuse(&node, task.part, false,
                [&] { return fmt::format("has too few operands: {}", task.index); });
}

bool Matcher::SolveValue(const Task& task) {
  const Operand& operand = *task.operand;
  ir::Node& user = *task.node;
  if (task.value == nullptr) {
    if (operand.optional_) return Solve(task.next);
    return Refuse(&user, task.part, false,
                  [&] { return fmt::format("{} is omitted", task.place.ToText()); });
  }
  Task done = task;
  done.kind = Task::Kind::kValueDone;
  done.inner = task.value;
  if (operand.captured_) {
    if (task.value->kind() != ir::Value::Kind::kCapture) {
      return Refuse(&user, task.part, false, [&] {
        return fmt::format("{} is not captured from outside", task.place.ToText());
      });
    }
    done.value = task.value->Resolve();
  }
  if (!operand.alternatives_.empty()) {
    const Mark mark = Remember();
    for (const Operand& alternative : operand.alternatives_) {
      Task taken = done;
      taken.kind = Task::Kind::kValue;
      taken.next = &done;
      taken.operand = &alternative;
      if (Solve(&taken)) return true;
      GoBack(mark);
    }
    return false;
  }
  if (operand.producer_ == nullptr) return SolveValueDone(done);
  ir::Node* producer = done.value->producer();
  if (producer == nullptr || done.value->index() != operand.result_) {
    return Refuse(&user, task.part, false, [&] {
      const std::string which =
          operand.result_ == 0 ? "the result" : fmt::format("result {}", operand.result_);
      return fmt::format("{} is not {} of {}", task.place.ToText(), which,
                         fmt::join(operand.producer_->operators_, " or "));
    });
  }
  const Task fits = {.kind = Task::Kind::kNode,
                     .next = &done,
                     .part = task.part,
                     .pattern = operand.producer_.get(),
                     .node = producer,
                     .value = done.value,
                     .inner = done.inner};
  return Solve(&fits);
}

bool Matcher::SolveValueDone(const Task& task) {
  const Operand& operand = *task.operand;
  const ir::Value& value = *task.value;
  const ir::Node& user = *task.node;
  if (operand.constant_ && !value.ConstantTensor()) {
    return Refuse(&user, task.part, false,
                  [&] { return fmt::format("{} is not constant", task.place.ToText()); });
  }
  for (const auto& condition : operand.conditions_) {
    if (condition.holds(value)) continue;
    if (!condition.says) {
      return RefuseCondition(user, task.part, condition.name,
                             explain_ ? task.place.ToText() + ": " : std::string());
    }
    return Refuse(&user, task.part, true, [&] {
      return fmt::format("{}: {}", task.place.ToText(), condition.says(value));
    });
  }
  if (operand.shape_ && !FitsShape(task)) return false;
  if (!operand.bind_.empty()) {
    const ir::Value* bound = match_.Find(ValueHandle{operand.bind_});
    if (bound != nullptr && bound != &value) {
      return Refuse(&user, task.part, false, [&] {
        return fmt::format("{} is not the other {}", task.place.ToText(), operand.bind_);
      });
    }
    if (bound == nullptr) match_.bound_values_.emplace_back(operand.bind_, task.value);
  }
  return Solve(task.next);
}

// ---- Shapes

bool Matcher::FitsShape(const Task& task) {
  const std::vector<DimPattern>& wanted = *task.operand->shape_;
  const ir::Type& type = task.value->type();
  ir::Shape of_constant;
  const ir::Shape* shape = type.is_tensor() && type.shape ? &*type.shape : nullptr;
  if (shape == nullptr) {
    const ir::Tensor constant = task.value->ConstantTensor();
    if (!constant) {
      return Refuse(task.node, task.part, true,
                    [&] { return fmt::format("{}: shape is not known", task.place.ToText()); });
    }
    for (const int64_t extent : constant.dims()) of_constant.push_back(ir::Dim::Known(extent));
    shape = &of_constant;
  }
  if (shape->size() != wanted.size()) {
    return Refuse(task.node, task.part, true, [&] {
      return fmt::format("{}: rank is {}, not {}", task.place.ToText(), shape->size(),
                         wanted.size());
    });
  }
  for (size_t axis = 0; axis < wanted.size(); ++axis) {
    if (!FitsDim(task, axis, wanted[axis], (*shape)[axis])) return false;
  }
  return true;
}

bool Matcher::FitsDim(const Task& task, size_t axis, const DimPattern& wanted,
                      const ir::Dim& found) {
  const auto text_of = [](const ir::Dim& dim) {
    if (dim.is_known()) return fmt::format("{}", dim.extent());
    return dim.is_symbol() ? Quoted(dim.symbol()) : std::string("not known");
  };
  const auto refuse = [&](const std::string& text) {
    return Refuse(task.node, task.part, true, [&] {
      return fmt::format("{}: dimension {} is {}{}", task.place.ToText(), axis, text_of(found),
                         text);
    });
  };
  if (wanted.extent_) {
    if (found.is_known() && found.extent() == *wanted.extent_) return true;
    return refuse(explain_ ? fmt::format(", not {}", *wanted.extent_) : std::string());
  }
  if (wanted.handle_.empty()) return true;
  if (!found.is_known() && !found.is_symbol()) return refuse("");
  const ir::Dim bound = match_[DimHandle{wanted.handle_}];
  if (!bound.is_known() && !bound.is_symbol()) {
    match_.bound_dims_.emplace_back(wanted.handle_, found);
    return true;
  }
  const bool same = bound.is_known() ? found.is_known() && found.extent() == bound.extent()
                                     : found.is_symbol() && found.symbol() == bound.symbol();
  return same || refuse(explain_ ? fmt::format(", not {} = {}", wanted.handle_, text_of(bound))
                                 : std::string());
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
