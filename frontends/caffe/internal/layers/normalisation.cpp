// Layers that scale values by what stands around them: LRN, MVN, Normalize, Softmax.
#include <numeric>

#include "lathe/frontends/caffe/internal/layers.h"
#include "lathe/frontends/caffe/internal/layers/pooling.h"

namespace lathe::frontends::caffe {
namespace {

// x · (1 + alpha · mean of x² around it)^-beta, in each channel by itself.
Status LrnWithinChannel(LayerBuilder& builder, const proto::LRNParameter& param) {
  LATHE_RETURN_IF_ERROR(builder.RequireRank(4));
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 2));
  const auto size = static_cast<int64_t>(param.local_size());
  const int64_t pad = (size - 1) / 2;
  const Window window{{size, size}, {1, 1}, {pad, pad}, {1, 1}};
  const std::span<const int64_t> sizes(builder.dims().data() + 2, 2);
  LATHE_ASSIGN_OR_RETURN(const PoolGeometry geometry,
                         LayPoolWindows(window, sizes, /*round_up=*/true));
  ir::Value* squares = builder.Add("square", {"Mul", {builder.x(), builder.x()}});
  ir::Value* mean = builder.Add("mean", AveragePool(builder, squares, geometry));
  ir::Value* scaled = builder.Add("mul", {"Mul", {mean, builder.Scalar("alpha", param.alpha())}});
  ir::Value* shifted = builder.Add("add", {"Add", {scaled, builder.Scalar("one", 1)}});
  ir::Value* by = builder.Add("pow", {"Pow", {shifted, builder.Scalar("beta", param.beta())}});
  return builder.Finish({"Div", {builder.x(), by}}, builder.dims());
}

// Means over `axes`, which stay with an extent of 1.
ir::Value* Mean(LayerBuilder& builder, std::string_view part, ir::Value* value,
                const std::vector<int64_t>& axes) {
  return builder.Add(part, {"ReduceMean", {value}, {{"axes", axes}, {"keepdims", int64_t{1}}}});
}

std::vector<int64_t> AxesFrom(int64_t first, int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

}  // namespace

Status Lrn(LayerBuilder& builder) {
  const proto::LRNParameter& param = builder.param().lrn_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  constexpr uint32_t kLargest = 1U << 20;
  if (param.local_size() % 2 == 0 || param.local_size() > kLargest) {
    return InvalidInput("local_size is {}, an odd number is expected", param.local_size());
  }
  if (param.norm_region() == proto::LRNParameter::WITHIN_CHANNEL) {
    return LrnWithinChannel(builder, param);
  }
  LATHE_RETURN_IF_ERROR(builder.RequireRank(4));
  return builder.Finish({"LRN",
                         {builder.x()},
                         {{"alpha", param.alpha()},
                          {"beta", param.beta()},
                          {"bias", param.k()},
                          {"size", int64_t{param.local_size()}}}},
                        builder.dims());
}

// (x - mean) / (deviation + eps).
Status Mvn(LayerBuilder& builder) {
  const proto::MVNParameter& param = builder.param().mvn_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const int64_t first = param.across_channels() ? 1 : 2;
  if (builder.rank() <= first) {
    return InvalidInput("bottom {} has no axes to take the mean of", DimsText(builder.dims()));
  }
  const std::vector<int64_t> axes = AxesFrom(first, builder.rank());
  ir::Value* mean = Mean(builder, "mean", builder.x(), axes);
  Op centre{"Sub", {builder.x(), mean}};
  if (!param.normalize_variance()) return builder.Finish(std::move(centre), builder.dims());
  ir::Value* centred = builder.Add("centre", std::move(centre));
  ir::Value* squares = builder.Add("square", {"Mul", {centred, centred}});
  ir::Value* deviation = builder.Add("sqrt", {"Sqrt", {Mean(builder, "variance", squares, axes)}});
  ir::Value* by = builder.Add("add", {"Add", {deviation, builder.Scalar("eps", param.eps())}});
  return builder.Finish({"Div", {centred, by}}, builder.dims());
}

// x / sqrt(sum of x² + eps) · scale, over the channels or over all of a sample.
Status Normalize(LayerBuilder& builder) {
  const proto::NormalizeParameter& param = builder.param().norm_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_RETURN_IF_ERROR(builder.RequireRank(4));
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 1));
  LATHE_RETURN_IF_ERROR(builder.CheckWeights(1));
  const int64_t channels = builder.dims()[1];
  const Dims stored = {param.channel_shared() ? 1 : channels};
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor scale, builder.WeightTensor(0, stored));
  const std::vector<int64_t> axes =
      param.across_spatial() ? AxesFrom(1, builder.rank()) : std::vector<int64_t>{1};
  ir::Value* squares = builder.Add("square", {"Mul", {builder.x(), builder.x()}});
  ir::Value* sum = builder.Add(
      "sum", {"ReduceSum", {squares, builder.Ints("axes", axes)}, {{"keepdims", int64_t{1}}}});
  ir::Value* shifted = builder.Add("add", {"Add", {sum, builder.Scalar("eps", param.eps())}});
  ir::Value* norm = builder.Add("sqrt", {"Sqrt", {shifted}});
  ir::Value* normal = builder.Add("div", {"Div", {builder.x(), norm}});
  ir::Value* by = builder.Constant("scale", scale.WithDims({stored[0], 1, 1}));
  return builder.Finish({"Mul", {normal, by}}, builder.dims());
}

Status Softmax(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_ASSIGN_OR_RETURN(const int64_t axis, builder.Axis(builder.param().softmax_param().axis()));
  return builder.Finish({"Softmax", {builder.x()}, {{"axis", axis}}}, builder.dims());
}

}  // namespace lathe::frontends::caffe
