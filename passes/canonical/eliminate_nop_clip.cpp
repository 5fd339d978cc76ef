#include "lathe/passes/canonical/eliminate_nop_clip.h"

#include <cmath>
#include <optional>

#include "lathe/passes/canonical/constant_elements.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Clip that clips nothing, and Clip of what another clipped as much:

    %b = Clip(%a)                          %y = Clip(%a, 0, 6)
    %c = Clip(%b, 0, 6)
    %y = Clip(%c, -1, 6)

Conditions, one of:
- operator set 11 or later (before, Clip without bounds made the largest float of infinity), and each bound is
  omitted, or constant and the lowest (highest) value of its type: an infinity, or an integer's limit;
- the operand is the result of a Clip with a lower (upper) bound for each that this one has; all bounds are constant,
  those of the other are in order, and each is the same number, with the same sign, or inside of this one's.
)";

bool Bounds(const ir::Value* bound, Element limit) {
  return bound != nullptr && !AllElementsAre(bound->ConstantTensor(), limit);
}

bool HasNoBounds(const ir::Node& clip) {
  return OpsetOf(clip) >= 11 && !Bounds(clip.input(1), Element::kLowest) &&
         !Bounds(clip.input(2), Element::kHighest);
}

struct Bound {
  bool given = false;
  double number = 0;
};

// The operand, or the attribute of older operator sets; nothing when it is not constant or no
// number.
std::optional<Bound> BoundOf(const ir::Node& clip, size_t operand, std::string_view attribute) {
  if (OpsetOf(clip) < 11) {
    if (clip.FindAttribute(attribute) == nullptr) return Bound();
    return Bound{true, clip.FloatAttribute(attribute, 0.0f)};
  }
  const ir::Value* value = clip.input(operand);
  if (value == nullptr) return Bound();
  const std::optional<double> number = SingleNumber(value->ConstantTensor());
  if (!number || std::isnan(*number)) return std::nullopt;
  return Bound{true, *number};
}

// The bound of an operand keeps everything inside of a bound. `sign`: 1 of lower bounds, -1 of
// upper ones. A zero of the other sign may be another value.
bool Keeps(const Bound& operand, const Bound& bound, double sign) {
  if (!bound.given) return true;
  if (!operand.given) return false;
  if (operand.number == bound.number) {
    return std::signbit(operand.number) == std::signbit(bound.number);
  }
  return sign * operand.number > sign * bound.number;
}

bool IsClippedAsMuch(const ir::Node& clip) {
  const ir::Node* inner = clip.input(0) == nullptr ? nullptr : clip.input(0)->producer();
  if (inner == nullptr || !inner->Is("Clip") || HasUnknownAttributes(*inner)) return false;
  const auto low = BoundOf(clip, 1, "min"), high = BoundOf(clip, 2, "max");
  const auto inner_low = BoundOf(*inner, 1, "min"), inner_high = BoundOf(*inner, 2, "max");
  if (!low || !high || !inner_low || !inner_high) return false;
  if (inner_low->given && inner_high->given && inner_low->number > inner_high->number) return false;
  return Keeps(*inner_low, *low, 1) && Keeps(*inner_high, *high, -1);
}

ir::Value* ClipsNothing(const ir::Node& clip) {
  return HasNoBounds(clip) || IsClippedAsMuch(clip) ? clip.input(0) : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopClipRules() {
  return {NoOpRule("drop-clip", {"Clip"}, "clips nothing", ClipsNothing)};
}

const PassDescriptor& EliminateNopClipPass() {
  static const PassDescriptor kPass =
      NoOpPass<NopClipRules>("eliminate-nop-clip", "Remove Clip that clips nothing", kDescription);
  return kPass;
}

}  // namespace lathe::passes
