#include "lathe/passes/canonical/eliminate_nop_arithmetic.h"

#include "lathe/passes/canonical/constant_elements.h"
#include "lathe/passes/canonical/equal_shapes.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes arithmetic with a neutral constant:

    %b = Mul(%a, 1.0)                      %y = Relu(%a)
    %c = Sub(%b, 0.0)
    %y = Relu(%c)

| operator | neutral |
| --- | --- |
| Mul | 1, on either side |
| Div, Pow | 1, on the right |
| Add | -0.0 on either side; 0 of integers; +0.0 where the other operand is never -0.0 |
| Sub | +0.0 on the right; 0 of integers |
| BitShift | 0, on the right |
| BitwiseOr, BitwiseXor | 0, on either side |
| BitwiseAnd | all bits set, on either side |
| Max | the lowest value of the type (-infinity), on either side |
| Min | the highest value of the type (infinity), on either side |
| PRelu | slope 1; LeakyRelu: `alpha` 1 |

BitwiseAnd and BitwiseOr of a value and itself give the value.

Adding +0.0 is not neutral: it makes +0.0 of -0.0, which a division by the result shows. The other operand is
never -0.0 when it is the result of Abs, Exp, Sigmoid, Softmax, a cast from integers, or of an Add with +0.0.

Conditions:
- the operand is constant, and all its elements are the neutral one;
- broadcasting it leaves the other operand's shape as it is: it is a scalar, or the types prove it.
)";

bool IsNeutral(const ir::Value* operand, Element neutral, const ir::Value& other) {
  const ir::Tensor constant = operand->ConstantTensor();
  return constant && BroadcastKeepsShape(other.type(), constant.dims()) &&
         AllElementsAre(constant, neutral);
}

// The operand beside which a neutral one stands. `either`: on any side.
ir::Value* BesideNeutral(const ir::Node& node, Element neutral, bool either) {
  ir::Value* left = node.input(0);
  ir::Value* right = node.input(1);
  // Before operator set 7, attributes said how to broadcast.
  if (left == nullptr || right == nullptr || node.FindAttribute("broadcast") != nullptr) {
    return nullptr;
  }
  if (IsNeutral(right, neutral, *left)) return left;
  return either && IsNeutral(left, neutral, *right) ? right : nullptr;
}

// The value is the result of an operator that never gives -0.0.
bool IsNeverNegativeZero(const ir::Value& value) {
  const ir::Node* producer = value.producer();
  if (producer == nullptr || producer->input(0) == nullptr) return false;
  if (producer->Is("Cast")) return ir::IsInteger(producer->input(0)->type().element);
  if (producer->Is("Add")) {
    for (const ir::Use& operand : producer->inputs()) {
      if (operand.value() != nullptr &&
          AllElementsAre(operand.value()->ConstantTensor(), Element::kZero)) {
        return true;
      }
    }
    return false;
  }
  return producer->Is("Abs") || producer->Is("Exp") || producer->Is("Sigmoid") ||
         producer->Is("Softmax");
}

ir::Value* AddsZero(const ir::Node& add) {
  if (ir::Value* other = BesideNeutral(add, Element::kNegativeZero, true)) return other;
  ir::Value* other = BesideNeutral(add, Element::kZero, true);
  return other != nullptr && IsNeverNegativeZero(*other) ? other : nullptr;
}

ir::Value* SubtractsZero(const ir::Node& sub) { return BesideNeutral(sub, Element::kZero, false); }

ir::Value* MultipliesByOne(const ir::Node& mul) { return BesideNeutral(mul, Element::kOne, true); }

ir::Value* DividesByOne(const ir::Node& node) { return BesideNeutral(node, Element::kOne, false); }

ir::Value* ShiftsByZero(const ir::Node& node) { return BesideNeutral(node, Element::kZero, false); }

ir::Value* OrsZero(const ir::Node& node) { return BesideNeutral(node, Element::kZero, true); }

ir::Value* AndsAllBits(const ir::Node& node) {
  return BesideNeutral(node, Element::kAllBitsSet, true);
}

ir::Value* BothOperands(const ir::Node& node) {
  return node.input(0) == node.input(1) ? node.input(0) : nullptr;
}

ir::Value* MaxOfLowest(const ir::Node& node) {
  return node.num_inputs() == 2 ? BesideNeutral(node, Element::kLowest, true) : nullptr;
}

ir::Value* MinOfHighest(const ir::Node& node) {
  return node.num_inputs() == 2 ? BesideNeutral(node, Element::kHighest, true) : nullptr;
}

ir::Value* LeaksAll(const ir::Node& node) {
  return node.FloatAttribute("alpha", 0.01f) == 1.0f ? node.input(0) : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopArithmeticRules() {
  return {NoOpRule("drop-add", {"Add"}, "adds zeros", AddsZero),
          NoOpRule("drop-sub", {"Sub"}, "subtracts zeros", SubtractsZero),
          NoOpRule("drop-mul", {"Mul"}, "multiplies by ones", MultipliesByOne),
          NoOpRule("drop-div", {"Div"}, "divides by ones", DividesByOne),
          NoOpRule("drop-pow", {"Pow"}, "has exponents 1", DividesByOne),
          NoOpRule("drop-shift", {"BitShift"}, "shifts by zeros", ShiftsByZero),
          NoOpRule("drop-bitwise-or", {"BitwiseOr", "BitwiseXor"}, "has zeros", OrsZero),
          NoOpRule("drop-bitwise-and", {"BitwiseAnd"}, "has all bits set", AndsAllBits),
          NoOpRule("drop-bitwise-same", {"BitwiseAnd", "BitwiseOr"}, "has one value as operand",
                   BothOperands),
          NoOpRule("drop-max-of-lowest", {"Max"}, "has the lowest value", MaxOfLowest),
          NoOpRule("drop-min-of-highest", {"Min"}, "has the highest value", MinOfHighest),
          NoOpRule("drop-leaky-relu", {"LeakyRelu"}, "has alpha 1", LeaksAll),
          NoOpRule("drop-prelu", {"PRelu"}, "has slopes 1", DividesByOne)};
}

const PassDescriptor& EliminateNopArithmeticPass() {
  static const PassDescriptor kPass = NoOpPass<NopArithmeticRules>(
      "eliminate-nop-arithmetic", "Remove arithmetic with neutral constants", kDescription);
  return kPass;
}

}  // namespace lathe::passes
