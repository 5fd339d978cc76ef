#include "lathe/passes/canonical/eliminate_identity.h"

#include "lathe/passes/canonical/constant_elements.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes operators that hand their input on unchanged, wherever they stand (bodies and functions included):

    %a = Relu(%x)                          %a = Relu(%x)
    %b = Identity(%a)                      %y = Conv(%a, %w)
    %c = Dropout(%b, %ratio)
    %y = Conv(%c, %w)

Other passes look at who produces a value and how many use it; a node in between hides both. Constants behind
Identity, which exporters write for equal initializers, become operands themselves. Names of graph outputs
stay: the producer takes the name over.

Conditions for Identity:
- its output is not the output of a graph, or its input is a node's result in the same graph that is not an
  output itself (a graph output must be a node's result of that name).

Conditions for Dropout, besides the same one:
- the mask is not used;
- it is in inference form: `training_mode` is omitted or constant false; before opset 7, `is_test` is set.
)";

ir::Value* HandedOn(const ir::Node& identity) { return identity.input(0); }

ir::Value* NothingDropped(const ir::Node& dropout) {
  return IsInferenceDropout(dropout) ? dropout.input(0) : nullptr;
}

}  // namespace

bool IsInferenceDropout(const ir::Node& dropout) {
  if (OpsetOf(dropout) < 7) return dropout.IntAttribute("is_test", 0) != 0;
  const ir::Value* training_mode = dropout.input(2);
  return training_mode == nullptr ||
         AllElementsAre(training_mode->ConstantTensor(), Element::kZero);
}

std::vector<RewriteRule> IdentityRules() {
  return {NoOpRule("drop-identity", {"Identity"}, "has an operand", HandedOn),
          NoOpRule("drop-dropout", {"Dropout"}, "is in inference form", NothingDropped)};
}

const PassDescriptor& EliminateIdentityPass() {
  static const PassDescriptor kPass = NoOpPass<IdentityRules>(
      "eliminate-identity", "Remove Identity, and Dropout in inference form", kDescription);
  return kPass;
}

}  // namespace lathe::passes
