#include "lathe/passes/canonical/eliminate_nop_slice.h"

#include <limits>

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Slice that takes everything:

    %b = Slice(%a, [0], [9223372036854775807], [1])     %y = Relu(%a)
    %y = Relu(%b)

Conditions, for every axis that is sliced:
- start, end and step are constant, and the step is 1, or the extent of the axis is 1;
- the start is 0, or lies at or before the begin of an axis of known extent; where the extent is not known it is at
  most -2147483647, that many before the end;
- the end lies at or behind the end of an axis of known extent; where the extent is not known it is at least
  2147483647, which is how exporters write "to the end";
- backwards, the start is -1 or at least 0, and the end is at most -2, which is before the begin.
)";

constexpr int64_t kToTheEnd = std::numeric_limits<int32_t>::max();

struct Slices {
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  std::vector<int64_t> axes;
  // Empty: all are 1.
  std::vector<int64_t> steps;
};

// The operands, or before operator set 10 the attributes; nothing when they are not constant, do
// not fit together.
std::optional<Slices> SlicesOf(const ir::Node& node) {
  Slices slices;
  std::optional<std::vector<int64_t>> axes;
  if (node.FindAttribute("starts") != nullptr) {
    slices.starts = node.IntsAttribute("starts");
    slices.ends = node.IntsAttribute("ends");
    if (node.FindAttribute("axes") != nullptr) axes = node.IntsAttribute("axes");
  } else {
    auto starts = ConstantInts(node.input(1));
    auto ends = ConstantInts(node.input(2));
    if (!starts || !ends) return std::nullopt;
    slices.starts = *std::move(starts);
    slices.ends = *std::move(ends);
    if (node.input(3) != nullptr && !(axes = ConstantInts(node.input(3)))) return std::nullopt;
    if (node.input(4) != nullptr) {
      const auto steps = ConstantInts(node.input(4));
      if (!steps || steps->size() != slices.starts.size()) return std::nullopt;
      slices.steps = *steps;
    }
  }
  if (!axes) {
    axes.emplace();
    for (size_t i = 0; i < slices.starts.size(); ++i) axes->push_back(static_cast<int64_t>(i));
  }
  slices.axes = *std::move(axes);
  const bool fits =
      slices.ends.size() == slices.starts.size() && slices.axes.size() == slices.starts.size();
  return fits ? std::optional(std::move(slices)) : std::nullopt;
}

// The extent of the axis; nothing when it is not known.
std::optional<int64_t> ExtentOf(const ir::Type& type, int64_t axis) {
  if (!type.is_tensor() || !type.has_rank()) return std::nullopt;
  const int64_t rank = type.rank();
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  const ir::Dim& dim = (*type.shape)[static_cast<size_t>(axis)];
  return dim.is_known() ? std::optional(dim.extent()) : std::nullopt;
}

// Whether start:end:step of an axis is all of it.
bool TakesAxis(std::optional<int64_t> extent, int64_t start, int64_t end, int64_t step) {
  if (step != 1 && extent != 1) return false;
  if (step < 1) return step != 0 && start >= -1 && end <= -2;
  const bool from_begin = start == 0 || (start < 0 && start <= -extent.value_or(kToTheEnd));
  return from_begin && end >= extent.value_or(kToTheEnd);
}

ir::Value* TakesEverything(const ir::Node& slice) {
  ir::Value* input = slice.input(0);
  if (input == nullptr) return nullptr;
  const std::optional<Slices> slices = SlicesOf(slice);
  if (!slices) return nullptr;
  for (size_t i = 0; i < slices->starts.size(); ++i) {
    const std::optional<int64_t> extent = ExtentOf(input->type(), slices->axes[i]);
    const int64_t step = slices->steps.empty() ? 1 : slices->steps[i];
    if (!TakesAxis(extent, slices->starts[i], slices->ends[i], step)) return nullptr;
  }
  return input;
}

}  // namespace

std::vector<RewriteRule> NopSliceRules() {
  return {NoOpRule("drop-slice", {"Slice"}, "takes everything", TakesEverything)};
}

const PassDescriptor& EliminateNopSlicePass() {
  static const PassDescriptor kPass =
      NoOpPass<NopSliceRules>("eliminate-nop-slice", "Remove slices of everything", kDescription);
  return kPass;
}

}  // namespace lathe::passes
