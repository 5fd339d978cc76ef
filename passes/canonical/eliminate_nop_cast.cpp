#include "lathe/passes/canonical/eliminate_nop_cast.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Cast, CastLike and BitCast to the element type that the value has already:

    %a : f32[8]                            %y = Relu(%a)
    %b = Cast(%a) {to = f32}
    %y = Relu(%b)

Conditions:
- the element type of the operand is known, and the one asked for (CastLike: that of the second operand).
)";

constexpr auto kUndefined = ir::ElementType::kUndefined;

ir::Value* SameType(const ir::Node& cast) {
  ir::Value* input = cast.input(0);
  if (input == nullptr || !input->type().is_tensor() || input->type().element == kUndefined) {
    return nullptr;
  }
  ir::ElementType to = kUndefined;
  if (cast.Is("CastLike")) {
    const ir::Value* like = cast.input(1);
    if (like != nullptr && like->type().is_tensor()) to = like->type().element;
  } else {
    to = ir::ElementTypeFromOnnx(cast.IntAttribute("to", 0)).value_or(kUndefined);
  }
  return to == input->type().element ? input : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopCastRules() {
  return {NoOpRule("drop-cast", {"Cast", "CastLike", "BitCast"}, "casts to the operand's own type",
                   SameType)};
}

const PassDescriptor& EliminateNopCastPass() {
  static const PassDescriptor kPass = NoOpPass<NopCastRules>(
      "eliminate-nop-cast", "Remove casts to the type that a value has already", kDescription);
  return kPass;
}

}  // namespace lathe::passes
