#include "lathe/passes/canonical/eliminate_nop_expand.h"

#include <algorithm>

#include "lathe/passes/canonical/equal_shapes.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Expand and Tile that repeat nothing:

    %b = Expand(%a, [1, 1])                %y = Relu(%a)
    %y = Relu(%b)

Conditions, one of:
- both shapes are known, extent by extent: as the same number or as the same symbol;
- Expand: the shape asked for is constant, all ones, and not longer than the operand's;
- Tile: the repeats are constant, all ones.
)";

bool AllOnes(const std::optional<std::vector<int64_t>>& integers) {
  return integers && std::ranges::all_of(*integers, [](int64_t each) { return each == 1; });
}

ir::Value* RepeatsNothing(const ir::Node& node) {
  ir::Value* input = node.input(0);
  if (input == nullptr) return nullptr;
  // Tile had other operands before operator set 6.
  if (node.Is("Tile") && OpsetOf(node) < 6) return nullptr;
  if (EqualTensorTypes(node.output()->type(), input->type())) return input;
  const auto integers = ConstantInts(node.input(1));
  if (!AllOnes(integers)) return nullptr;
  const bool fits = node.Is("Tile") || static_cast<int>(integers->size()) <= input->type().rank();
  return fits ? input : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopExpandRules() {
  return {NoOpRule("drop-expand", {"Expand", "Tile"}, "repeats nothing", RepeatsNothing)};
}

const PassDescriptor& EliminateNopExpandPass() {
  static const PassDescriptor kPass = NoOpPass<NopExpandRules>(
      "eliminate-nop-expand", "Remove Expand and Tile that repeat nothing", kDescription);
  return kPass;
}

}  // namespace lathe::passes
