// Layers that repeat, mirror or shuffle values: Tile, Reverse, ShuffleChannel, Reorg.
#include <algorithm>
#include <limits>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

// [N, C, H, W] seen as `inner` behind N, its axes reordered, and seen as [N, `outer`].
Status Shuffle(LayerBuilder& builder, const Dims& inner, const std::vector<int64_t>& order,
               const Dims& outer) {
  // 0 copies the batch.
  std::vector<int64_t> shape = {0};
  shape.insert(shape.end(), inner.begin(), inner.end());
  ir::Value* split = builder.Add("split", {"Reshape", {builder.x(), builder.Ints("inner", shape)}});
  ir::Value* moved = builder.Add("transpose", {"Transpose", {split}, {{"perm", order}}});
  std::vector<int64_t> joined = {0};
  joined.insert(joined.end(), outer.begin(), outer.end());
  Dims dims = {builder.dims()[0]};
  dims.insert(dims.end(), outer.begin(), outer.end());
  return builder.Finish({"Reshape", {moved, builder.Ints("outer", joined)}}, dims);
}

Status RequireImage(const LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_RETURN_IF_ERROR(builder.RequireRank(4));
  return builder.RequireKnown(0, 1);
}

}  // namespace

Status Tile(LayerBuilder& builder) {
  const proto::TileParameter& param = builder.param().tile_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_ASSIGN_OR_RETURN(const int64_t axis, builder.Axis(param.axis()));
  if (param.tiles() < 1) return InvalidInput("tiles is {}", param.tiles());
  const auto at = static_cast<size_t>(axis);
  std::vector<int64_t> repeats(builder.dims().size(), 1);
  repeats[at] = param.tiles();
  Dims dims = builder.dims();
  if (dims[at] != kFree) dims[at] *= param.tiles();
  return builder.Finish({"Tile", {builder.x(), builder.Ints("repeats", repeats)}}, dims);
}

Status Reverse(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  std::vector<int64_t> axes;
  for (const int64_t said : builder.param().reverse_param().axis()) {
    LATHE_ASSIGN_OR_RETURN(const int64_t axis, builder.Axis(said));
    if (std::ranges::find(axes, axis) == axes.end()) axes.push_back(axis);
  }
  if (axes.empty()) return InvalidInput("has no axis to reverse");
  const std::vector<int64_t> back(axes.size(), -1);
  const std::vector<int64_t> ends(axes.size(), std::numeric_limits<int64_t>::min());
  return builder.Finish({"Slice",
                         {builder.x(), builder.Ints("starts", back), builder.Ints("ends", ends),
                          builder.Ints("axes", axes), builder.Ints("steps", back)}},
                        builder.dims());
}

Status ShuffleChannel(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(RequireImage(builder));
  const Dims& dims = builder.dims();
  const int64_t group = builder.param().shuffle_channel_param().group();
  if (group < 1 || dims[1] % group != 0) {
    return InvalidInput("{} channels do not divide into {} groups", dims[1], group);
  }
  return Shuffle(builder, {group, dims[1] / group, dims[2], dims[3]}, {0, 2, 1, 3, 4},
                 {dims[1], dims[2], dims[3]});
}

// Darknet's reorganisation, in which the bottom's values are read as if they lay in [C / s², H · s,
// W · s]: each place's s × s neighbours become channels. `reverse` puts them back.
Status Reorg(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(RequireImage(builder));
  const proto::ReorgParameter& param = builder.param().reorg_param();
  const Dims& dims = builder.dims();
  constexpr int64_t kLargest = 1 << 15;
  const int64_t stride = param.stride();
  if (stride < 1 || stride > kLargest || dims[1] % (stride * stride) != 0) {
    return InvalidInput("{} channels do not divide by the square of stride {}", dims[1], stride);
  }
  const int64_t channels = dims[1] / (stride * stride);
  if (param.reverse()) {
    return Shuffle(builder, {stride, stride, channels, dims[2], dims[3]}, {0, 3, 4, 1, 5, 2},
                   {channels, dims[2] * stride, dims[3] * stride});
  }
  if (dims[2] % stride != 0 || dims[3] % stride != 0) {
    return InvalidInput("bottom {} does not divide by stride {}", DimsText(dims), stride);
  }
  return Shuffle(builder, {channels, dims[2], stride, dims[3], stride}, {0, 3, 5, 1, 2, 4},
                 {dims[1] * stride * stride, dims[2] / stride, dims[3] / stride});
}

}  // namespace lathe::frontends::caffe
