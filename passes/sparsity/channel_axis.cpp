#include "lathe/passes/sparsity/channel_axis.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

// Of ascending positions, how many are below `position`.
int64_t CountBelow(const std::vector<int64_t>& removed, int64_t position) {
  return std::ranges::lower_bound(removed, position) - removed.begin();
}

void PutInts(ir::Rewriter& rewriter, ir::Node& node, size_t input,
             const std::vector<int64_t>& values, std::string_view part) {
  const std::string name = node.display_name() + "." + std::string(part);
  PutInput(rewriter, node, input, &MakeConstant(rewriter, node, name, values));
}

}  // namespace

std::optional<std::vector<int64_t>> SplitSizes(const ir::Node& split, int64_t length) {
  std::vector<int64_t> sizes = split.IntsAttribute("split");
  if (split.input(1) != nullptr) {
    const auto given = ConstantInts(split.input(1));
    if (!given.has_value()) return std::nullopt;
    sizes = *given;
  }
  const auto count = static_cast<int64_t>(split.num_outputs());
  if (sizes.empty() && count > 0 && length % count == 0) {
    sizes.assign(static_cast<size_t>(count), length / count);
  }
  const bool fits =
      static_cast<int64_t>(sizes.size()) == count &&
      std::ranges::all_of(sizes, [&](int64_t size) { return size > 0 && size <= length; }) &&
      std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) == length;
  return fits ? std::optional(std::move(sizes)) : std::nullopt;
}

std::optional<AxisSlice> ReadAxisSlice(const ir::Node& slice, int back, int rank, int64_t length) {
  const auto starts = ConstantInts(slice.input(1));
  const auto ends = ConstantInts(slice.input(2));
  if (!starts.has_value() || !ends.has_value() || starts->size() != ends->size()) {
    return std::nullopt;
  }
  std::vector<int64_t> axes(starts->size());
  std::iota(axes.begin(), axes.end(), 0);
  std::vector<int64_t> steps(starts->size(), 1);
  for (const auto& [input, values] : {std::pair(size_t{3}, &axes), {size_t{4}, &steps}}) {
    if (slice.input(input) == nullptr) continue;
    const auto given = ConstantInts(slice.input(input));
    if (!given.has_value() || given->size() != starts->size()) return std::nullopt;
    *values = *given;
  }
  AxisSlice result{std::nullopt, 0, length};
  for (size_t i = 0; i < axes.size(); ++i) {
    if ((axes[i] < 0 ? axes[i] + rank : axes[i]) != rank - back) continue;
    if (steps[i] != 1 || result.entry.has_value()) return std::nullopt;
    const auto place = [&](int64_t bound) {
      return std::clamp(bound < 0 ? bound + length : bound, int64_t{0}, length);
    };
    result = {i, place((*starts)[i]), place((*ends)[i])};
  }
  return result;
}

std::optional<int64_t> ExtentFromEnd(const ir::Value* value, int back) {
  if (value == nullptr || back < 1 || value->type().rank() < back) return std::nullopt;
  const ir::Shape& shape = *value->type().shape;
  const ir::Dim& dim = shape[shape.size() - static_cast<size_t>(back)];
  return dim.is_known() ? std::optional(dim.extent()) : std::nullopt;
}

Status CutSplit(ir::Rewriter& rewriter, ir::Node& split, int back,
                const std::vector<int64_t>& removed) {
  const auto length = ExtentFromEnd(split.input(0), back);
  const auto known = length.has_value() ? SplitSizes(split, *length) : std::nullopt;
  if (!known.has_value()) return InvalidInput("its sizes are not known");
  std::vector<int64_t> sizes = *known;
  int64_t begin = 0;
  for (int64_t& size : sizes) {
    const int64_t end = begin + size;
    size -= CountBelow(removed, end) - CountBelow(removed, begin);
    begin = end;
  }
  constexpr int64_t kSizesAreAnInput = 13;
  if (OpsetOf(split) < kSizesAreAnInput) {
    rewriter.SetAttribute(split, "split", ir::AttributeValue(std::move(sizes)));
    return OkStatus();
  }
  rewriter.RemoveAttribute(split, "num_outputs");
  PutInts(rewriter, split, 1, sizes, "split");
  return OkStatus();
}

Status CutSlice(ir::Rewriter& rewriter, ir::Node& slice, int back,
                const std::vector<int64_t>& removed) {
  const auto length = ExtentFromEnd(slice.input(0), back);
  const auto part = length.has_value()
                        ? ReadAxisSlice(slice, back, slice.input(0)->type().rank(), *length)
                        : std::nullopt;
  if (!part.has_value()) return InvalidInput("its bounds are not known");
  if (!part->entry.has_value()) return OkStatus();
  std::vector<int64_t> starts = *ConstantInts(slice.input(1));
  std::vector<int64_t> ends = *ConstantInts(slice.input(2));
  starts[*part->entry] = part->start - CountBelow(removed, part->start);
  ends[*part->entry] = part->end - CountBelow(removed, part->end);
  PutInts(rewriter, slice, 1, starts, "starts");
  PutInts(rewriter, slice, 2, ends, "ends");
  return OkStatus();
}

Status CutReshape(ir::Rewriter& rewriter, ir::Node& reshape, int back,
                  const std::vector<int64_t>& removed) {
  auto shape = ConstantInts(reshape.input(1));
  if (!shape.has_value() || shape->size() < static_cast<size_t>(back)) {
    return InvalidInput("its shape is not known");
  }
  int64_t& extent = (*shape)[shape->size() - static_cast<size_t>(back)];
  if (extent <= 0) return OkStatus();
  extent -= static_cast<int64_t>(removed.size());
  PutInts(rewriter, reshape, 1, *shape, "shape");
  return OkStatus();
}

}  // namespace lathe::passes
