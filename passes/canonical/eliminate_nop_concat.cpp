#include "lathe/passes/canonical/eliminate_nop_concat.h"

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Concat of one tensor and Split into one:

    %b = Concat(%a) {axis = 1}             %y = Relu(%a)
    %c = Split(%b) {num_outputs = 1}
    %y = Relu(%c)

Conditions:
- there is exactly one operand, or exactly one result; or
- Concat joins all results of one Split, in order and along its axis (one counted from the back and one from the
  front are compared where the rank is known). The Split goes with the dead nodes when nothing else uses it.
)";

bool JoinAlongTheirAxis(const ir::Node& concat, const ir::Node& split) {
  int64_t joined = concat.IntAttribute("axis", 0);
  int64_t cut = split.IntAttribute("axis", 0);
  const int rank = split.input(0)->type().rank();
  if (rank > 0) {
    if (joined < 0) joined += rank;
    if (cut < 0) cut += rank;
  }
  return joined == cut;
}

// What a Split took apart; null when the operands are not just its results.
ir::Value* Rejoined(const ir::Node& concat) {
  const ir::Node* split = concat.input(0) == nullptr ? nullptr : concat.input(0)->producer();
  if (split == nullptr || !split->Is("Split") || split->num_outputs() != concat.num_inputs() ||
      split->input(0) == nullptr || HasUnknownAttributes(*split)) {
    return nullptr;
  }
  for (size_t i = 0; i < concat.num_inputs(); ++i) {
    if (concat.input(i) != split->output(i)) return nullptr;
  }
  return JoinAlongTheirAxis(concat, *split) ? split->input(0) : nullptr;
}

ir::Value* OnlyOperand(const ir::Node& concat) {
  return concat.num_inputs() == 1 ? concat.input(0) : Rejoined(concat);
}

ir::Value* OnlyResult(const ir::Node& split) {
  return split.num_outputs() == 1 ? split.input(0) : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopConcatRules() {
  return {NoOpRule("drop-concat", {"Concat"}, "has one operand, or all results of a Split",
                   OnlyOperand),
          NoOpRule("drop-split", {"Split"}, "has one result", OnlyResult)};
}

const PassDescriptor& EliminateNopConcatPass() {
  static const PassDescriptor kPass = NoOpPass<NopConcatRules>(
      "eliminate-nop-concat", "Remove Concat of one tensor and Split into one", kDescription);
  return kPass;
}

}  // namespace lathe::passes
