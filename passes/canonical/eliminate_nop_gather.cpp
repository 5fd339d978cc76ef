#include "lathe/passes/canonical/eliminate_nop_gather.h"

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Gather that takes all elements of an axis in their order:

    %a : f32[n,3]                          %y = Relu(%a)
    %b = Gather(%a, [0, 1, -1]) {axis = 1}
    %y = Relu(%b)

Conditions:
- the extent of the axis is known, the indices are a constant vector of as many, and index i is i, or i counted from
  the back.
)";

ir::Value* TakesAllInOrder(const ir::Node& gather) {
  ir::Value* input = gather.input(0);
  if (input == nullptr || gather.input(1) == nullptr || !input->type().is_tensor() ||
      !input->type().has_rank()) {
    return nullptr;
  }
  const ir::Shape& shape = *input->type().shape;
  const auto rank = static_cast<int64_t>(shape.size());
  int64_t axis = gather.IntAttribute("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return nullptr;
  const ir::Dim& dim = shape[static_cast<size_t>(axis)];
  const ir::Tensor constant = gather.input(1)->ConstantTensor();
  if (!dim.is_known() || !constant || constant.rank() != 1) return nullptr;
  const auto indices = ConstantInts(gather.input(1));
  if (!indices || static_cast<int64_t>(indices->size()) != dim.extent()) return nullptr;
  for (size_t i = 0; i < indices->size(); ++i) {
    const auto place = static_cast<int64_t>(i);
    if ((*indices)[i] != place && (*indices)[i] != place - dim.extent()) return nullptr;
  }
  return input;
}

}  // namespace

std::vector<RewriteRule> NopGatherRules() {
  return {NoOpRule("drop-gather", {"Gather"}, "takes everything in order", TakesAllInOrder)};
}

const PassDescriptor& EliminateNopGatherPass() {
  static const PassDescriptor kPass = NoOpPass<NopGatherRules>(
      "eliminate-nop-gather", "Remove Gather of everything in order", kDescription);
  return kPass;
}

}  // namespace lathe::passes
