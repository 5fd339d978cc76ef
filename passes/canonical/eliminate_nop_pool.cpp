#include "lathe/passes/canonical/eliminate_nop_pool.h"

#include <algorithm>

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes pools that see one element at a time:

    %b = MaxPool(%a) {kernel_shape = [1, 1]}            %y = Relu(%a)
    %y = Relu(%b)

Conditions for MaxPool and AveragePool:
- all of `kernel_shape` and `strides` are 1, all of `pads` are 0;
- MaxPool: its second result is not used.

Conditions for GlobalAveragePool and GlobalMaxPool:
- every spatial extent of the operand is known to be 1.
)";

bool AllAre(const std::vector<int64_t>& values, int64_t wanted) {
  return std::ranges::all_of(values, [&](int64_t each) { return each == wanted; });
}

ir::Value* OneElement(const ir::Node& pool) {
  const std::vector<int64_t> kernel = pool.IntsAttribute("kernel_shape");
  const bool one = !kernel.empty() && AllAre(kernel, 1) &&
                   AllAre(pool.IntsAttribute("strides"), 1) &&
                   AllAre(pool.IntsAttribute("pads"), 0);
  return one ? pool.input(0) : nullptr;
}

ir::Value* OnePixel(const ir::Node& pool) {
  ir::Value* input = pool.input(0);
  if (input == nullptr || input->type().rank() < 2) return nullptr;
  const ir::Shape& shape = *input->type().shape;
  const bool one = std::all_of(shape.begin() + 2, shape.end(), [](const ir::Dim& dim) {
    return dim.is_known() && dim.extent() == 1;
  });
  return one ? input : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopPoolRules() {
  return {NoOpRule("drop-pool", {"MaxPool", "AveragePool"}, "pools one element", OneElement),
          NoOpRule("drop-global-pool", {"GlobalAveragePool", "GlobalMaxPool"}, "pools one element",
                   OnePixel)};
}

const PassDescriptor& EliminateNopPoolPass() {
  static const PassDescriptor kPass =
      NoOpPass<NopPoolRules>("eliminate-nop-pool", "Remove pools over one element", kDescription);
  return kPass;
}

}  // namespace lathe::passes
