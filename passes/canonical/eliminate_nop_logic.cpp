#include "lathe/passes/canonical/eliminate_nop_logic.h"

#include "lathe/passes/canonical/constant_elements.h"
#include "lathe/passes/canonical/equal_shapes.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes logic that decides nothing:

    %b = And(%a, true)                     %y = Not(%a)
    %c = Or(%b, %b)
    %y = Not(%c)

| operator | same as an operand when |
| --- | --- |
| And | the other is true, or both are one value |
| Or | the other is false, or both are one value |
| Xor | the other is false |
| Equal (of booleans) | the other is true |
| Where | both choices are one value, or the condition is constant and the same everywhere |

Conditions:
- what is called true or false is constant, and so are all its elements;
- broadcasting leaves the operand's shape as it is: the others are scalars, or the types prove it.
)";

bool IsConstantly(const ir::Value* operand, Element element, const ir::Value& other) {
  const ir::Tensor constant = operand->ConstantTensor();
  return constant && constant.element_type() == ir::ElementType::kBool &&
         BroadcastKeepsShape(other.type(), constant.dims()) && AllElementsAre(constant, element);
}

ir::Value* Beside(const ir::Node& node, Element neutral) {
  ir::Value* left = node.input(0);
  ir::Value* right = node.input(1);
  // Before operator set 7, attributes said how to broadcast.
  if (left == nullptr || right == nullptr || node.FindAttribute("broadcast") != nullptr) {
    return nullptr;
  }
  if (IsConstantly(right, neutral, *left)) return left;
  return IsConstantly(left, neutral, *right) ? right : nullptr;
}

ir::Value* BothOperands(const ir::Node& node) {
  return node.input(0) == node.input(1) ? node.input(0) : nullptr;
}

ir::Value* NeutralAnd(const ir::Node& node) {
  ir::Value* both = BothOperands(node);
  return both != nullptr ? both : Beside(node, Element::kOne);
}

ir::Value* NeutralOr(const ir::Node& node) {
  ir::Value* both = BothOperands(node);
  return both != nullptr ? both : Beside(node, Element::kZero);
}

ir::Value* NeutralXor(const ir::Node& node) { return Beside(node, Element::kZero); }

ir::Value* EqualsTrue(const ir::Node& node) { return Beside(node, Element::kOne); }

ir::Value* OneChoice(const ir::Node& where) {
  const ir::Value* condition = where.input(0);
  ir::Value* yes = where.input(1);
  ir::Value* no = where.input(2);
  if (condition == nullptr || yes == nullptr || no == nullptr) return nullptr;
  ir::Value* choice = nullptr;
  const ir::Tensor constant = condition->ConstantTensor();
  if (yes == no || AllElementsAre(constant, Element::kOne)) {
    choice = yes;
  } else if (AllElementsAre(constant, Element::kZero)) {
    choice = no;
  }
  if (choice == nullptr) return nullptr;
  if (EqualTensorTypes(where.output()->type(), choice->type())) return choice;
  // Without knowing shapes: one choice, and a scalar to choose by.
  const bool scalar = constant ? constant.rank() == 0 : condition->type().rank() == 0;
  return yes == no && scalar ? choice : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopLogicRules() {
  return {NoOpRule("drop-and", {"And"}, "decides nothing", NeutralAnd),
          NoOpRule("drop-or", {"Or"}, "decides nothing", NeutralOr),
          NoOpRule("drop-xor", {"Xor"}, "decides nothing", NeutralXor),
          NoOpRule("drop-equal", {"Equal"}, "compares with true", EqualsTrue),
          NoOpRule("drop-where", {"Where"}, "always takes one value", OneChoice)};
}

const PassDescriptor& EliminateNopLogicPass() {
  static const PassDescriptor kPass = NoOpPass<NopLogicRules>(
      "eliminate-nop-logic", "Remove logic that decides nothing", kDescription);
  return kPass;
}

}  // namespace lathe::passes
