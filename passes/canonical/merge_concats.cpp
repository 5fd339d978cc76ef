#include "lathe/passes/canonical/merge_concats.h"

#include <algorithm>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
A Concat takes the operands of the Concats that feed it, however deep they stand:

    %a = Concat{axis=1}(%p, %q)           %y = Concat{axis=1}(%p, %q, %r)
    %y = Concat{axis=1}(%a, %r)

An operand that is known to have no elements along the axis goes, unless it is the only one left.

Conditions for each Concat that goes:
- nothing else reads its result;
- it joins along the same axis; an axis that counts from the back and one that counts from the front are
  compared where the rank is known.
)";

bool IsPlainConcat(const ir::Node& node) {
  return node.Is("Concat") && node.num_inputs() != 0 && node.num_outputs() != 0 &&
         !HasUnknownAttributes(node);
}

// From the front where the rank is known.
int64_t AxisOf(const ir::Node& concat) {
  const int64_t axis = concat.IntAttribute("axis", 0);
  if (axis >= 0) return axis;
  int rank = concat.output()->type().rank();
  for (const ir::Use& input : concat.inputs()) {
    if (input.value() != nullptr) rank = std::max(rank, input.value()->type().rank());
  }
  return axis + std::max(rank, 0);
}

// Why a Concat does not merge with the one that reads it; empty: it does.
std::string Refusal(const ir::Node& inner, const ir::Node& user) {
  if (!IsOnlyUse(inner)) return "it has other uses";
  if (AxisOf(inner) != AxisOf(user)) return "it joins along another axis";
  return "";
}

bool WillMerge(const ir::Node& inner) {
  if (!IsOnlyUse(inner)) return false;
  const ir::Use& use = *inner.output()->first_use();
  return !use.user()->is_return() && IsPlainConcat(*use.user()) &&
         Refusal(inner, *use.user()).empty();
}

bool IsEmptyAlong(const ir::Value* operand, int64_t axis) {
  if (operand == nullptr || !operand->type().is_tensor()) return false;
  const ir::Type& type = operand->type();
  if (axis < 0) axis += std::max(type.rank(), 0);
  if (axis < 0 || axis >= type.rank()) return false;
  const ir::Dim& dim = (*type.shape)[static_cast<size_t>(axis)];
  return dim.is_known() && dim.extent() == 0;
}

// Takes operands without elements out of the list; one stays. Returns how many went.
size_t EraseEmpty(std::vector<ir::Value*>& operands, int64_t axis) {
  const size_t before = operands.size();
  ir::Value* const first = operands.front();
  std::erase_if(operands, [&](const ir::Value* operand) { return IsEmptyAlong(operand, axis); });
  if (operands.empty()) operands.push_back(first);
  return before - operands.size();
}

// Returns whether anything changed.
bool Flatten(PassContext& context, ir::Node& root) {
  // Operands in order; Concats that go, each after the one that reads it.
  std::vector<ir::Value*> operands;
  std::vector<ir::Node*> merged;
  struct Level {
    ir::Node* node;
    size_t next;
  };
  std::vector<Level> stack = {{&root, 0}};
  while (!stack.empty()) {
    Level& level = stack.back();
    if (level.next == level.node->num_inputs()) {
      stack.pop_back();
      continue;
    }
    ir::Value* operand = level.node->input(level.next++);
    ir::Node* inner = operand == nullptr ? nullptr : operand->producer();
    if (inner == nullptr || !IsPlainConcat(*inner)) {
      operands.push_back(operand);
      continue;
    }
    const std::string refusal = Refusal(*inner, *level.node);
    if (!refusal.empty()) {
      context.Missed(root,
                     fmt::format("not merged with {}: {}", Quoted(inner->display_name()), refusal));
      operands.push_back(operand);
      continue;
    }
    merged.push_back(inner);
    stack.push_back({inner, 0});
  }
  const size_t empty = EraseEmpty(operands, AxisOf(root));
  if (merged.empty() && empty == 0) return false;

  ir::Rewriter& rewriter = context.rewriter();
  std::vector<ir::Origin> origins = {root.origin()};
  for (const ir::Node* inner : merged) origins.push_back(inner->origin());
  if (!merged.empty()) {
    context.Applied(
        root,
        fmt::format("merged with {}{}", Quoted(merged[0]->display_name()),
                    merged.size() == 1 ? "" : fmt::format(" and {} others", merged.size() - 1)));
    context.Count("merged", static_cast<int64_t>(merged.size()));
  }
  if (empty != 0) {
    context.Applied(root, fmt::format("{} operands have no elements", empty));
    context.Count("empty", static_cast<int64_t>(empty));
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    if (i < root.num_inputs()) {
      rewriter.SetInput(root, i, operands[i]);
    } else {
      rewriter.AddInput(root, operands[i]);
    }
  }
  if (operands.size() < root.num_inputs()) rewriter.TruncateInputs(root, operands.size());
  for (ir::Node* inner : merged) rewriter.Erase(*inner);
  rewriter.SetOrigin(root, context.model().MergeOrigins(origins));
  return true;
}

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  VisitNodes(context.model(), [&](ir::Node& node) {
    if (IsPlainConcat(node) && !WillMerge(node) && Flatten(context, node)) changed = true;
  });
  return changed;
}

}  // namespace

const PassDescriptor& MergeConcatsPass() {
  static const PassDescriptor kPass = {
      .name = "merge-concats",
      .summary = "Make one Concat of Concats that feed each other",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "Concats that went"},
                     {"empty", "operands without elements that went"}},
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
