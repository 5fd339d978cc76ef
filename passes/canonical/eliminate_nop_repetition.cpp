#include "lathe/passes/canonical/eliminate_nop_repetition.h"

#include <algorithm>
#include <array>

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes operators whose effect the operand shows already, and pairs that undo each other:

    %b = Relu(%a)                          %b = Relu(%a)
    %c = Relu(%b)                          %y = Neg(%b)
    %d = Neg(%c)
    %e = Neg(%d)
    %y = Neg(%e)

| operator | goes when the operand is the result of |
| --- | --- |
| Relu | Relu; of floats: Abs, Exp, Sigmoid, Softmax |
| Abs | Abs; of floats: Exp, Sigmoid, Softmax |
| Floor, Ceil, Round | Floor, Ceil, Round, Sign, a cast from integers |
| Sign | Sign |
| Neg, Not, BitwiseNot | the same operator: both go |

What is left of a pair goes with the dead nodes. A not-a-number passes all of these alike.
)";

// What these give of floats has a clear sign bit. (Abs of the smallest integer is negative; Relu
// may hand -0.0 on.)
constexpr std::array<std::string_view, 4> kNonNegative = {"Abs", "Exp", "Sigmoid", "Softmax"};
constexpr std::array<std::string_view, 4> kIntegral = {"Floor", "Ceil", "Round", "Sign"};

ir::Value* ResultOf(const ir::Node& node, std::span<const std::string_view> operators) {
  ir::Value* input = node.input(0);
  const ir::Node* producer = input == nullptr ? nullptr : input->producer();
  if (producer == nullptr) return nullptr;
  const bool is_one =
      std::ranges::any_of(operators, [&](std::string_view op) { return producer->Is(op); });
  return is_one ? input : nullptr;
}

ir::Value* Integral(const ir::Node& node) {
  if (ir::Value* result = ResultOf(node, kIntegral)) return result;
  const ir::Value* input = node.input(0);
  const ir::Node* producer = input == nullptr ? nullptr : input->producer();
  const bool from_integers = producer != nullptr && producer->Is("Cast") &&
                             producer->input(0) != nullptr &&
                             ir::IsInteger(producer->input(0)->type().element);
  return from_integers ? node.input(0) : nullptr;
}

ir::Value* SameOperator(const ir::Node& node) {
  const std::array<std::string_view, 1> same = {node.op_text()};
  return ResultOf(node, same);
}

ir::Value* NonNegative(const ir::Node& node) {
  if (ir::Value* result = SameOperator(node)) return result;
  const ir::Value* input = node.input(0);
  const bool floats = input != nullptr && ir::IsFloatingPoint(input->type().element);
  return floats ? ResultOf(node, kNonNegative) : nullptr;
}

// What the operand's producer undoes.
ir::Value* Undone(const ir::Node& node) {
  const ir::Value* inner = SameOperator(node);
  return inner == nullptr ? nullptr : inner->producer()->input(0);
}

}  // namespace

std::vector<RewriteRule> NopRepetitionRules() {
  return {NoOpRule("drop-relu", {"Relu"}, "has an operand without negative elements", NonNegative),
          NoOpRule("drop-abs", {"Abs"}, "has an operand without negative elements", NonNegative),
          NoOpRule("drop-round", {"Floor", "Ceil", "Round"}, "has an operand of whole numbers",
                   Integral),
          NoOpRule("drop-sign", {"Sign"}, "has the result of Sign as operand", SameOperator),
          NoOpRule("drop-pair", {"Neg", "Not", "BitwiseNot"}, "undoes its operand", Undone)};
}

const PassDescriptor& EliminateNopRepetitionPass() {
  static const PassDescriptor kPass = NoOpPass<NopRepetitionRules>(
      "eliminate-nop-repetition", "Remove operators whose effect their operand shows already",
      kDescription);
  return kPass;
}

}  // namespace lathe::passes
