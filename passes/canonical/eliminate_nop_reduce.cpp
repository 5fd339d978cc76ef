#include "lathe/passes/canonical/eliminate_nop_reduce.h"

#include "lathe/passes/canonical/equal_shapes.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes ReduceSum, ReduceMean, ReduceMax, ReduceMin and ReduceProd over nothing, or over axes of one element:

    %a : f32[n,1,8]                        %y = Relu(%a)
    %b = ReduceSum(%a, [1])
    %y = Relu(%b)

Other reductions (ReduceL2, ReduceLogSum, ...) change even a single element.

Conditions, one of:
- `noop_with_empty_axes` is set, and the axes are omitted or constant and empty;
- `keepdims` is set, and the shapes of operand and result are known to be the same.
)";

bool HasNoAxes(const ir::Node& reduce) {
  if (reduce.IntAttribute("noop_with_empty_axes", 0) == 0) return false;
  if (const ir::Value* axes = reduce.input(1)) {
    const auto constant = ConstantInts(axes);
    return constant && constant->empty();
  }
  return reduce.IntsAttribute("axes").empty();
}

ir::Value* ReducesNothing(const ir::Node& reduce) {
  ir::Value* input = reduce.input(0);
  if (input == nullptr) return nullptr;
  const bool same = HasNoAxes(reduce) || (reduce.IntAttribute("keepdims", 1) != 0 &&
                                          EqualTensorTypes(reduce.output()->type(), input->type()));
  return same ? input : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopReduceRules() {
  return {NoOpRule("drop-reduce",
                   {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"},
                   "reduces nothing", ReducesNothing)};
}

const PassDescriptor& EliminateNopReducePass() {
  static const PassDescriptor kPass = NoOpPass<NopReduceRules>(
      "eliminate-nop-reduce", "Remove reductions over nothing", kDescription);
  return kPass;
}

}  // namespace lathe::passes
