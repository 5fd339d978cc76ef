#include "lathe/passes/canonical/eliminate_nop_pad.h"

#include <algorithm>

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Pad that adds nothing, whatever its mode:

    %b = Pad(%a, [0, 0, 0, 0])             %y = Relu(%a)
    %y = Relu(%b)

Conditions:
- the pads (an operand, or before operator set 11 an attribute) are constant, and all are 0.
)";

ir::Value* PadsNothing(const ir::Node& pad) {
  ir::Value* input = pad.input(0);
  if (input == nullptr) return nullptr;
  std::optional<std::vector<int64_t>> pads;
  if (pad.FindAttribute("pads") != nullptr) {
    pads = pad.IntsAttribute("pads");
  } else {
    pads = ConstantInts(pad.input(1));
  }
  const bool none = pads && std::ranges::all_of(*pads, [](int64_t each) { return each == 0; });
  return none ? input : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopPadRules() {
  return {NoOpRule("drop-pad", {"Pad"}, "pads nothing", PadsNothing)};
}

const PassDescriptor& EliminateNopPadPass() {
  static const PassDescriptor kPass =
      NoOpPass<NopPadRules>("eliminate-nop-pad", "Remove pads by nothing", kDescription);
  return kPass;
}

}  // namespace lathe::passes
