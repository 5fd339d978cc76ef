#include "lathe/passes/canonical/merge_casts.h"

#include "lathe/passes/canonical/merge_chains.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
One Cast does the work of two in a row where the first loses nothing that the second would keep:

    %a = Cast{to=f32}(%x: f16)        %y = Cast{to=f64}(%x)
    %y = Cast{to=f64}(%a)

A cast back to the type of %x becomes an Identity. The first stays where others read its result.

Conditions:
- the type of %x is known, and all three types are bool, integers of 8 to 64 bits, f16, bf16, f32 or f64;
- the type between holds every value of the first; or all three are integers and the last is no wider than the
  one between, so that the same low bits are kept;
- the way is not from integer through floating point to an integer that does not hold every value of the
  first: what does not fit then has no defined result, and merging would give it another.
)";

using ir::ElementType;

// What values an element type holds: integers of `digits` bits beside a sign, or floats with
// `digits` bits of precision.
struct Format {
  bool is_float = false;
  bool has_sign = false;
  int digits = 0;
  // Of floats: of the largest value.
  int exponent = 0;
};

std::optional<Format> FormatOf(ElementType type) {
  switch (type) {
    case ElementType::kBool:
      return Format{false, false, 1};
    case ElementType::kUint8:
      return Format{false, false, 8};
    case ElementType::kUint16:
      return Format{false, false, 16};
    case ElementType::kUint32:
      return Format{false, false, 32};
    case ElementType::kUint64:
      return Format{false, false, 64};
    case ElementType::kInt8:
      return Format{false, true, 7};
    case ElementType::kInt16:
      return Format{false, true, 15};
    case ElementType::kInt32:
      return Format{false, true, 31};
    case ElementType::kInt64:
      return Format{false, true, 63};
    case ElementType::kFloat16:
      return Format{true, true, 11, 16};
    case ElementType::kBfloat16:
      return Format{true, true, 8, 128};
    case ElementType::kFloat32:
      return Format{true, true, 24, 128};
    case ElementType::kFloat64:
      return Format{true, true, 53, 1024};
    default:
      return std::nullopt;
  }
}

// Every value of `a` is one of `b`.
bool Holds(const Format& b, const Format& a) {
  if (a.is_float) return b.is_float && b.digits >= a.digits && b.exponent >= a.exponent;
  if (a.has_sign && !b.has_sign) return false;
  // An integer of n bits is below 2^n, and exact in n bits of precision.
  return b.digits >= a.digits;
}

// A bool is not the low bit of a number: whatever is not 0 is true.
bool IsTruncation(ElementType a, ElementType b, ElementType c) {
  for (const ElementType type : {a, b, c}) {
    if (!ir::IsInteger(type) || type == ElementType::kBool) return false;
  }
  return ir::ElementBits(c) <= ir::ElementBits(b);
}

MergeRefusal Merge(PassContext& context, ir::Node& first, ir::Node& last, bool /*only_use*/) {
  ir::Value& input = *first.input(0);
  if (!input.type().is_tensor()) return "the type of the input is not known";
  const ElementType from = input.type().element;
  const auto between = ir::ElementTypeFromOnnx(first.IntAttribute("to", 0));
  const auto to = ir::ElementTypeFromOnnx(last.IntAttribute("to", 0));
  if (!between || !to) return "a target type is not known";
  const std::optional<Format> a = FormatOf(from);
  const std::optional<Format> b = FormatOf(*between);
  const std::optional<Format> c = FormatOf(*to);
  if (!a || !b || !c) {
    return fmt::format("{} to {} to {} is not looked at", ir::ElementTypeName(from),
                       ir::ElementTypeName(*between), ir::ElementTypeName(*to));
  }
  if (!IsTruncation(from, *between, *to)) {
    if (!Holds(*b, *a)) {
      return fmt::format("{} does not hold every value of {}", ir::ElementTypeName(*between),
                         ir::ElementTypeName(from));
    }
    if (!a->is_float && b->is_float && !c->is_float && *to != ElementType::kBool &&
        !Holds(*c, *a)) {
      return fmt::format("{} does not hold every value of {}", ir::ElementTypeName(*to),
                         ir::ElementTypeName(from));
    }
  }
  if (from == *to) {
    BecomeIdentity(context.rewriter(), last, input);
  } else {
    context.rewriter().SetInput(last, 0, &input);
  }
  return std::nullopt;
}

constexpr ChainFamily kFamily = {[](const ir::Node& node) { return node.Is("Cast"); }, Merge};

StatusOr<bool> Run(PassContext& context) { return MergeChains(kFamily, context); }

}  // namespace

const PassDescriptor& MergeCastsPass() {
  static const PassDescriptor kPass = {
      .name = "merge-casts",
      .summary = "Make one Cast of several in a row",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "pairs of Cast merged"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kCalibrated, facts::kSearchNInserted,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
