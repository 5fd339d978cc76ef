// Operands: in order, in any order, and the value that stands at one.
#include <algorithm>
#include <utility>

#include "lathe/passes/rewrite/internal/matcher_task.h"

namespace lathe::passes {

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

}  // namespace lathe::passes
