#include "lathe/passes/canonical/eliminate_nop_concat.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Concat of one tensor and Split into one:

    %b = Concat(%a) {axis = 1}             %y = Relu(%a)
    %c = Split(%b) {num_outputs = 1}
    %y = Relu(%c)

Conditions:
- there is exactly one operand, or exactly one result.
)";

ir::Value* OnlyOperand(const ir::Node& concat) {
  return concat.num_inputs() == 1 ? concat.input(0) : nullptr;
}

ir::Value* OnlyResult(const ir::Node& split) {
  return split.num_outputs() == 1 ? split.input(0) : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopConcatRules() {
  return {NoOpRule("drop-concat", {"Concat"}, "has one operand", OnlyOperand),
          NoOpRule("drop-split", {"Split"}, "has one result", OnlyResult)};
}

const PassDescriptor& EliminateNopConcatPass() {
  static const PassDescriptor kPass = NoOpPass<NopConcatRules>(
      "eliminate-nop-concat", "Remove Concat of one tensor and Split into one", kDescription);
  return kPass;
}

}  // namespace lathe::passes
