// Operators that move, split, pad and reduce, which the reference stops at.
#include <algorithm>
#include <numeric>

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

#include "lathe/passes/canonical/axes.h"
#include "lathe/passes/canonical/equal_shapes.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/read_pad.h"
#include "lathe/passes/sparsity/channel_axis.h"
#include "lathe/passes/sparsity/flow_walk.h"

namespace lathe::passes {
namespace {

// Every rule gets a layout whose rank is known; it returns why it stops, or "".
using Why = std::string;

// The product of the extents of a value from `axis` on; 0: not known.
int64_t ExtentFrom(const ir::Value& value, int axis) {
  const ir::Type& type = value.type();
  if (!type.has_rank()) return 0;
  int64_t product = 1;
  for (size_t i = static_cast<size_t>(axis); i < type.shape->size(); ++i) {
    const ir::Dim& dim = (*type.shape)[i];
    if (!dim.is_known()) return 0;
    product *= dim.extent();
  }
  return product;
}

std::vector<ChannelPiece> Repeated(std::vector<ChannelPiece> pieces, int64_t times) {
  for (ChannelPiece& piece : pieces) (piece.stays() ? piece.count : piece.repeat) *= times;
  return pieces;
}

// The pieces at positions [begin, end); nothing when a channel that repeats would be torn.
std::optional<std::vector<ChannelPiece>> PositionsOf(const std::vector<ChannelPiece>& pieces,
                                                     int64_t begin, int64_t end) {
  std::vector<ChannelPiece> result;
  int64_t at = 0;
  for (const ChannelPiece& piece : pieces) {
    const int64_t first = std::max(begin, at) - at;
    const int64_t last = std::min(end, at + piece.positions()) - at;
    at += piece.positions();
    if (first >= last) continue;
    if (first % piece.repeat != 0 || last % piece.repeat != 0) return std::nullopt;
    ChannelPiece part = piece;
    part.start += first / piece.repeat;
    part.count = (last - first) / piece.repeat;
    result.push_back(part);
  }
  return result;
}

Why FlowThroughFlatten(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  const int64_t axis = node.IntAttribute("axis", 1);
  const int64_t behind = ExtentFrom(*node.input(0), layout.front() + 1);
  if ((axis < 0 ? axis + layout.rank : axis) != layout.front()) {
    return "which joins channels with other axes";
  }
  if (behind < 1) return "whose input has an unknown shape";
  walk.Set(*node.output(), {1, 2, Repeated(layout.pieces, behind)});
  return "";
}

Why FlowThroughReshape(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  const auto wanted = ConstantInts(node.input(1));
  if (!wanted.has_value()) return "whose shape is computed";
  const ir::Type& in = node.input(0)->type();
  const ir::Type& out = node.output()->type();
  const auto front = static_cast<size_t>(layout.front());
  const bool known = in.has_rank() && out.has_rank() && in.shape->size() > front &&
                     out.shape->size() > front && wanted->size() == out.shape->size() &&
                     node.IntAttribute("allowzero", 0) == 0;
  if (!known) return "whose input has an unknown shape";
  for (size_t i = 0; i < front; ++i) {
    if (!EqualDims((*in.shape)[i], (*out.shape)[i])) return "which joins channels with other axes";
  }
  const ir::Dim& dim = (*out.shape)[front];
  if (!dim.is_known()) return "whose input has an unknown shape";
  ChannelLayout reshaped{static_cast<int>(out.shape->size() - front), out.rank(), layout.pieces};
  if (dim.extent() != layout.positions()) {
    const int64_t behind = ExtentFrom(*node.input(0), layout.front() + 1);
    if (behind < 1 || reshaped.back != 1 || dim.extent() != layout.positions() * behind) {
      return "which tears channels apart";
    }
    reshaped.pieces = Repeated(layout.pieces, behind);
  }
  walk.AddConsumer(node, reshaped, {std::nullopt, reshaped.back});
  walk.Set(*node.output(), std::move(reshaped));
  return "";
}

Why FlowThroughSplit(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  int64_t axis = node.IntAttribute("axis", 0);
  if (axis < 0) axis += layout.rank;
  if (axis != layout.front()) {
    for (const ir::Value* output : node.outputs()) walk.PassOn(*node.input(0), *output);
    return "";
  }
  const auto sizes = SplitSizes(node, layout.positions());
  if (!sizes.has_value()) return "whose sizes are not known";
  std::vector<std::vector<ChannelPiece>> parts;
  int64_t begin = 0;
  for (const int64_t size : *sizes) {
    auto part = PositionsOf(layout.pieces, begin, begin + size);
    if (!part.has_value()) return "which tears channels apart";
    parts.push_back(*std::move(part));
    begin += size;
  }
  walk.AddConsumer(node, layout, {std::nullopt, layout.back});
  for (size_t i = 0; i < parts.size(); ++i) {
    walk.Set(*node.output(i), {layout.back, layout.rank, parts[i]});
  }
  return "";
}

Why FlowThroughSlice(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  const auto slice = ReadAxisSlice(node, layout.back, layout.rank, layout.positions());
  if (!slice.has_value()) return "whose bounds are not followed";
  if (!slice->entry.has_value()) {
    walk.PassOn(*node.input(0), *node.output());
    return "";
  }
  auto part = PositionsOf(layout.pieces, slice->start, slice->end);
  if (!part.has_value() || part->empty()) return "which tears channels apart";
  walk.AddConsumer(node, layout, {std::nullopt, layout.back});
  walk.Set(*node.output(), {layout.back, layout.rank, *std::move(part)});
  return "";
}

Why FlowThroughPad(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  const std::optional<PadAmounts> amounts = ReadPad(node);
  if (!amounts.has_value() || amounts->begin.size() != static_cast<size_t>(layout.rank)) {
    return "whose amounts are not constant";
  }
  const auto axis = static_cast<size_t>(layout.front());
  const int64_t before = amounts->begin[axis];
  const int64_t after = amounts->end[axis];
  if (amounts->mode != "constant" || before < 0 || after < 0)
    return "which copies or cuts channels";
  ChannelLayout padded{layout.back, layout.rank, {}};
  if (before > 0) padded.pieces.push_back({kNoChannelRecord, 0, before, 1});
  padded.pieces.insert(padded.pieces.end(), layout.pieces.begin(), layout.pieces.end());
  if (after > 0) padded.pieces.push_back({kNoChannelRecord, 0, after, 1});
  walk.Set(*node.output(), std::move(padded));
  return "";
}

Why FlowThroughTranspose(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  std::vector<int64_t> perm = node.IntsAttribute("perm");
  if (perm.empty()) {
    perm.resize(static_cast<size_t>(layout.rank));
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  const auto found = std::ranges::find(perm, layout.front());
  if (perm.size() != static_cast<size_t>(layout.rank) || found == perm.end()) {
    return "whose permutation does not fit";
  }
  walk.Set(*node.output(), {static_cast<int>(perm.end() - found), layout.rank, layout.pieces});
  return "";
}

// Axes that the node takes away: all of those before `front` move it.
Why FlowWithout(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout, bool keeps_axes) {
  const auto axes = ExplicitAxes(node, layout.rank);
  if (!axes.has_value() || axes->empty()) return "whose axes are not known";
  if (std::ranges::find(*axes, layout.front()) != axes->end()) return "which takes channels away";
  if (keeps_axes) {
    walk.PassOn(*node.input(0), *node.output());
    return "";
  }
  const auto behind =
      std::ranges::count_if(*axes, [&](int64_t axis) { return axis > layout.front(); });
  walk.Set(*node.output(), {layout.back - static_cast<int>(behind),
                            layout.rank - static_cast<int>(axes->size()), layout.pieces});
  return "";
}

Why FlowThroughUnsqueeze(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  size_t count = node.IntsAttribute("axes").size();
  if (const auto given = ConstantInts(node.input(1))) count = given->size();
  // Axes count in the result.
  const auto axes = ExplicitAxes(node, layout.rank + static_cast<int>(count));
  if (!axes.has_value()) return "whose axes are not known";
  const int rank = layout.rank + static_cast<int>(axes->size());
  int front = -1;
  for (int axis = 0, old = 0; axis < rank; ++axis) {
    if (std::ranges::find(*axes, axis) != axes->end()) continue;
    if (old++ == layout.front()) front = axis;
  }
  if (front < 0) return "whose axes are not known";
  walk.Set(*node.output(), {rank - front, rank, layout.pieces});
  return "";
}

bool IsReduction(const ir::Node& node) {
  static const absl::flat_hash_set<std::string_view> kOperators = {
      "ReduceL1",   "ReduceL2",  "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
      "ReduceMean", "ReduceMin", "ReduceProd",   "ReduceSum",       "ReduceSumSquare"};
  return node.domain_text().empty() && kOperators.contains(node.op_text());
}

bool PoolsOtherwise(const ir::Node& node) {
  return node.Is("GlobalMaxPool") || node.Is("GlobalLpPool") || node.Is("LpPool");
}

Why FlowThroughInstanceNorm(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  for (size_t i = 1; i < 3; ++i) {
    const ir::Tensor tensor =
        node.input(i) == nullptr ? ir::Tensor() : node.input(i)->ConstantTensor();
    if (!tensor || tensor.num_elements() != layout.positions()) {
      return "whose parameters are not constant";
    }
  }
  if (layout.front() != 1) return "which has its channels on another axis";
  walk.AddConsumer(node, layout);
  walk.PassOn(*node.input(0), *node.output());
  return "";
}

// Whether some user of a Shape looks at the axis.
bool AsksForChannels(const ir::Node& node, const ChannelLayout& layout) {
  if (node.FindAttribute("start") != nullptr || node.FindAttribute("end") != nullptr) return true;
  return std::ranges::any_of(node.output()->uses(), [&](const ir::Use& use) {
    if (use.user()->is_return() || !use.user()->Is("Gather") || use.index() != 0) return true;
    const auto indices = ConstantInts(use.user()->input(1));
    return !indices.has_value() || std::ranges::any_of(*indices, [&](int64_t index) {
      return (index < 0 ? index + layout.rank : index) == layout.front();
    });
  });
}

std::optional<Why> Apply(FlowWalk& walk, ir::Node& node, const ChannelLayout& layout) {
  if (node.Is("Flatten")) return FlowThroughFlatten(walk, node, layout);
  if (node.Is("Reshape")) return FlowThroughReshape(walk, node, layout);
  if (node.Is("Split")) return FlowThroughSplit(walk, node, layout);
  if (node.Is("Slice")) return FlowThroughSlice(walk, node, layout);
  if (node.Is("Pad")) return FlowThroughPad(walk, node, layout);
  if (node.Is("Transpose")) return FlowThroughTranspose(walk, node, layout);
  if (node.Is("Squeeze")) return FlowWithout(walk, node, layout, false);
  if (node.Is("Unsqueeze")) return FlowThroughUnsqueeze(walk, node, layout);
  if (IsReduction(node)) {
    return FlowWithout(walk, node, layout, node.IntAttribute("keepdims", 1) != 0);
  }
  if (node.Is("InstanceNormalization")) return FlowThroughInstanceNorm(walk, node, layout);
  if (node.Is("Shape")) return AsksForChannels(node, layout) ? "which asks for their number" : "";
  if (PoolsOtherwise(node)) {
    if (layout.front() != 1) return "which has its channels on another axis";
    walk.PassOn(*node.input(0), *node.output());
    return "";
  }
  return std::nullopt;
}

}  // namespace

bool FlowThroughLayout(FlowWalk& walk, ir::Node& node) {
  const ChannelLayout* found = walk.Find(node.input(0));
  if (found == nullptr || found->rank == 0 || node.num_outputs() == 0) return false;
  for (const ir::Use& use : node.inputs().subspan(1)) {
    if (walk.Find(use.value()) != nullptr) return false;
  }
  const ChannelLayout layout = *found;
  const std::optional<Why> why = Apply(walk, node, layout);
  if (!why.has_value()) return false;
  if (!why->empty()) walk.StopAll(node, *why);
  return true;
}

}  // namespace lathe::passes
