#include "lathe/passes/canonical/eliminate_nop_variadic.h"

#include <algorithm>

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Sum, Mean, Max and Min of one value:

    %b = Sum(%a)                           %y = Relu(%a)
    %c = Max(%b, %b)
    %y = Relu(%c)

Conditions:
- there is one operand; for Max and Min, all operands are one value.
)";

ir::Value* OneOperand(const ir::Node& node) {
  return node.num_inputs() == 1 ? node.input(0) : nullptr;
}

ir::Value* OneValue(const ir::Node& node) {
  const bool one = std::ranges::all_of(
      node.inputs(), [&](const ir::Use& use) { return use.value() == node.input(0); });
  return one ? node.input(0) : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopVariadicRules() {
  return {NoOpRule("drop-sum", {"Sum", "Mean"}, "has one operand", OneOperand),
          NoOpRule("drop-max", {"Max", "Min"}, "has one value as operand", OneValue)};
}

const PassDescriptor& EliminateNopVariadicPass() {
  static const PassDescriptor kPass = NoOpPass<NopVariadicRules>(
      "eliminate-nop-variadic", "Remove Sum, Mean, Max and Min of one value", kDescription);
  return kPass;
}

}  // namespace lathe::passes
