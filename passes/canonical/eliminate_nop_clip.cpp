#include "lathe/passes/canonical/eliminate_nop_clip.h"

#include "lathe/passes/canonical/constant_elements.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Clip that clips nothing:

    %b = Clip(%a)                          %y = Neg(%a)
    %c = Clip(%b, -inf)
    %y = Neg(%c)

Conditions:
- operator set 11 or later (before, Clip without bounds made the largest float of infinity);
- each bound is omitted, or constant and the lowest (highest) value of its type: an infinity, or an integer's limit.
)";

bool Bounds(const ir::Value* bound, Element limit) {
  return bound != nullptr && !AllElementsAre(bound->ConstantTensor(), limit);
}

ir::Value* ClipsNothing(const ir::Node& clip) {
  if (OpsetOf(clip) < 11 || Bounds(clip.input(1), Element::kLowest) ||
      Bounds(clip.input(2), Element::kHighest)) {
    return nullptr;
  }
  return clip.input(0);
}

}  // namespace

std::vector<RewriteRule> NopClipRules() {
  return {NoOpRule("drop-clip", {"Clip"}, "has no bounds", ClipsNothing)};
}

const PassDescriptor& EliminateNopClipPass() {
  static const PassDescriptor kPass =
      NoOpPass<NopClipRules>("eliminate-nop-clip", "Remove Clip without bounds", kDescription);
  return kPass;
}

}  // namespace lathe::passes
