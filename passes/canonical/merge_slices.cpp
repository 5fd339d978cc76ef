#include "lathe/passes/canonical/merge_slices.h"

#include <algorithm>
#include <limits>

#include "lathe/passes/canonical/merge_chains.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
One Slice does the work of two in a row:

    %a = Slice(%x, starts=[2], ends=[9], axes=[1])        %y = Slice(%x, [2, 4], [9, 8], [1, 2], [1, 1])
    %y = Slice(%a, starts=[4], ends=[8], axes=[2])

An axis that both cut is cut once: where the extent is known, starts and ends are clamped as the operator does
and any steps are multiplied; where it is not known, start = start1 + start2 and end = min(end1, start1 + end2).

Conditions:
- nothing else reads the first's result;
- starts, ends, axes and steps of both are constants, steps are not 0, and no axis is there twice;
- no step is negative with 2147483647 or 9223372036854775807 as end: runtimes do not agree on what that means;
- axes that count from the back do so from a known rank;
- on an axis of unknown extent that both cut, the first's step is 1, the last's is positive, and no start or
  end counts from the back.
)";

constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
// A larger extent is taken for unknown; keeps products in range.
constexpr int64_t kMostExtent = int64_t{1} << 48;

// Nothing by the definition, since going backwards starts before it; to some runtimes all that is
// left.
bool IsAmbiguous(int64_t end, int64_t step) {
  return step < 0 && (end == kInt64Max || end == std::numeric_limits<int32_t>::max());
}

struct Cut {
  int64_t axis = 0;
  int64_t start = 0;
  int64_t end = 0;
  int64_t step = 1;
};

// What a Slice cuts; `attributes`: the form that it had before opset 10.
struct Cuts {
  std::vector<Cut> cuts;
  bool attributes = false;
};

std::optional<Cuts> CutsOf(const ir::Node& slice) {
  Cuts result;
  std::optional<std::vector<int64_t>> starts, ends, axes, steps;
  result.attributes = slice.FindAttribute("starts") != nullptr;
  if (result.attributes) {
    starts = slice.IntsAttribute("starts");
    ends = slice.IntsAttribute("ends");
    if (slice.FindAttribute("axes") != nullptr) axes = slice.IntsAttribute("axes");
  } else {
    starts = ConstantInts(slice.input(1));
    ends = ConstantInts(slice.input(2));
    axes = ConstantInts(slice.input(3));
    steps = ConstantInts(slice.input(4));
    if (slice.input(3) != nullptr && !axes) return std::nullopt;
    if (slice.input(4) != nullptr && !steps) return std::nullopt;
  }
  if (!starts || !ends) return std::nullopt;
  const size_t count = starts->size();
  if (ends->size() != count || (axes && axes->size() != count) ||
      (steps && steps->size() != count)) {
    return std::nullopt;
  }
  const int rank = slice.input(0)->type().rank();
  for (size_t i = 0; i < count; ++i) {
    Cut cut{axes ? (*axes)[i] : static_cast<int64_t>(i), (*starts)[i], (*ends)[i],
            steps ? (*steps)[i] : 1};
    if (cut.axis < 0) cut.axis += std::max(rank, 0);
    if (cut.axis < 0 || cut.step == 0 || IsAmbiguous(cut.end, cut.step)) return std::nullopt;
    const auto same_axis = [&](const Cut& other) { return other.axis == cut.axis; };
    if (std::ranges::any_of(result.cuts, same_axis)) return std::nullopt;
    result.cuts.push_back(cut);
  }
  return result;
}

// Indices start, start + step, ..., `count` of them.
struct Range {
  int64_t start = 0;
  int64_t count = 0;
  int64_t step = 1;
};

Range Clamp(const Cut& cut, int64_t extent) {
  if (extent == 0) return {};
  int64_t start = cut.start < 0 ? cut.start + extent : cut.start;
  int64_t end = cut.end < 0 ? cut.end + extent : cut.end;
  const bool forward = cut.step > 0;
  start = std::clamp<int64_t>(start, 0, forward ? extent : extent - 1);
  end = std::clamp<int64_t>(end, forward ? 0 : -1, forward ? extent : extent - 1);
  const int64_t distance = forward ? end - start : start - end;
  if (distance <= 0) return {};
  // Beyond the extent all steps are one.
  const int64_t step = std::clamp(cut.step, -extent, extent);
  const int64_t stride = forward ? step : -step;
  return {start, (distance + stride - 1) / stride, step};
}

Cut Write(int64_t axis, const Range& range, int64_t extent) {
  if (range.count == 0) return {axis, 0, 0, 1};
  const int64_t step = range.count == 1 ? 1 : range.step;
  const int64_t past = range.start + (range.count - 1) * step + (step > 0 ? 1 : -1);
  // In front of the first element: -1 would be the last.
  return {axis, range.start, past < 0 ? -extent - 1 : past, step};
}

int64_t AddSaturated(int64_t a, int64_t b) { return a > kInt64Max - b ? kInt64Max : a + b; }

// The cut that does what `inner` and then `outer` do; nothing when that needs the extent.
std::optional<Cut> Compose(const Cut& inner, const Cut& outer, const ir::Type& type) {
  const auto axis = static_cast<size_t>(inner.axis);
  if (type.is_tensor() && type.shape && axis < type.shape->size() &&
      (*type.shape)[axis].is_known() && (*type.shape)[axis].extent() <= kMostExtent) {
    const int64_t extent = (*type.shape)[axis].extent();
    const Range first = Clamp(inner, extent);
    const Range last = Clamp(outer, first.count);
    return Write(inner.axis,
                 {first.start + last.start * first.step, last.count, last.step * first.step},
                 extent);
  }
  if (inner.step != 1 || outer.step < 0) return std::nullopt;
  for (const int64_t bound : {inner.start, inner.end, outer.start, outer.end}) {
    if (bound < 0) return std::nullopt;
  }
  return Cut{inner.axis, AddSaturated(inner.start, outer.start),
             std::min(inner.end, AddSaturated(inner.start, outer.end)), outer.step};
}

void SetCuts(ir::Rewriter& rewriter, ir::Node& slice, const Cuts& cuts) {
  std::vector<int64_t> starts, ends, axes, steps;
  for (const Cut& cut : cuts.cuts) {
    starts.push_back(cut.start);
    ends.push_back(cut.end);
    axes.push_back(cut.axis);
    steps.push_back(cut.step);
  }
  if (cuts.attributes) {
    rewriter.SetAttribute(slice, "starts", std::move(starts));
    rewriter.SetAttribute(slice, "ends", std::move(ends));
    rewriter.SetAttribute(slice, "axes", std::move(axes));
    return;
  }
  const std::string name = slice.display_name();
  PutInput(rewriter, slice, 1, &MakeConstant(rewriter, slice, name + ".starts", starts));
  PutInput(rewriter, slice, 2, &MakeConstant(rewriter, slice, name + ".ends", ends));
  PutInput(rewriter, slice, 3, &MakeConstant(rewriter, slice, name + ".axes", axes));
  if (std::ranges::all_of(steps, [](int64_t step) { return step == 1; })) {
    DropInputs(rewriter, slice, 4);
  } else {
    PutInput(rewriter, slice, 4, &MakeConstant(rewriter, slice, name + ".steps", steps));
  }
}

MergeRefusal Merge(PassContext& context, ir::Node& first, ir::Node& last, bool only_use) {
  if (!only_use) return "the first has other uses";
  ir::Value& input = *first.input(0);
  const std::optional<Cuts> inner = CutsOf(first);
  const std::optional<Cuts> outer = CutsOf(last);
  if (!inner || !outer) return "what they cut is not known";
  Cuts all = *inner;
  for (const Cut& cut : outer->cuts) {
    const auto same = std::ranges::find(all.cuts, cut.axis, &Cut::axis);
    if (same == all.cuts.end()) {
      all.cuts.push_back(cut);
      continue;
    }
    const std::optional<Cut> both = Compose(*same, cut, input.type());
    if (!both) return fmt::format("the extent of axis {} is not known", cut.axis);
    *same = *both;
  }
  SetCuts(context.rewriter(), last, all);
  context.rewriter().SetInput(last, 0, &input);
  return std::nullopt;
}

constexpr ChainFamily kFamily = {[](const ir::Node& node) { return node.Is("Slice"); }, Merge};

StatusOr<bool> Run(PassContext& context) { return MergeChains(kFamily, context); }

}  // namespace

const PassDescriptor& MergeSlicesPass() {
  static const PassDescriptor kPass = {
      .name = "merge-slices",
      .summary = "Make one Slice of several in a row",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "pairs of Slice merged"}},
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
