// Fits patterns to nodes. What is still to be fitted is a list of tasks on the stack; an
// alternative is tried with the whole rest of the list, so that any choice can be taken back. Depth
// and steps are bounded by the pattern and by kMostSteps.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/passes/rewrite/pattern.h"

namespace lathe::passes {

class Matcher {
 public:
  // Without `explain`, refusals carry no text: most are thrown away.
  explicit Matcher(bool explain) : explain_(explain) {}

  // Can be called again and again.
  bool Fits(const Pattern& pattern, ir::Node& root);
  // After Fits returned true.
  Match& match() { return match_; }
  // After Fits returned false.
  const Refusal& refusal() const { return refusal_; }

 private:
  struct Part;
  struct Task;
  // Where a value stands, for messages.
  struct Place {
    enum class Kind { kOperand, kResult, kBodyOutput };
    Kind kind = Kind::kOperand;
    size_t index = 0;
    std::string ToText() const;
  };
  struct Mark {
    size_t nodes, bound_nodes, bound_values, bound_lists, bound_dims, pending, roots;
  };

  bool Solve(const Task* task);
  bool SolveNode(const Task& task);
  bool SolveAlternatives(const Task& task);
  bool SolveNodeDone(const Task& task);
  bool SolveParts(const Task& task);
  bool SolveOtherUser(const Task& task, size_t index);
  bool SolveNodeBound(const Task& task);
  bool SolveOperands(const Task& task);
  bool SolveRest(const Task& task, const std::vector<size_t>& left);
  bool SolveAnyOrder(const Task& task);
  bool SolveValue(const Task& task);
  bool SolveValueDone(const Task& task);
  bool SolveEnd();

  bool HasOperator(const Pattern& pattern, const ir::Node& node) const;
  bool FitsShape(const Task& task);
  bool FitsDim(const Task& task, size_t axis, const DimPattern& wanted, const ir::Dim& found);
  bool IsReadInside(const ir::Value& value) const;
  bool StaysInside();

  Mark Remember() const;
  void GoBack(const Mark& mark);

  // `text` makes the reason.
  template <typename MakeText>
  bool Refuse(const ir::Node* node, const Part* part, bool by_condition, MakeText text);
  bool RefuseCondition(const ir::Node& node, const Part* part, std::string_view name,
                       std::string_view where = "");

  const bool explain_;
  Match match_;
  bool refused_ = false;
  Refusal refusal_;
  size_t steps_ = 0;
  // Patterns that were fitted and have conditions on the whole match.
  std::vector<std::pair<const Pattern*, const ir::Node*>> pending_;
  // The root and the nodes of AlsoUser.
  std::vector<const ir::Node*> roots_;
};

}  // namespace lathe::passes
