// Layers that change the size of images, or cut regions out: Upsample, Interp, ROIPooling.
#include <limits>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

Status RequireImage(const LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.RequireRank(4));
  return builder.RequireKnown(0, 1);
}

// The extent that Interp makes of a padded one: shrunk, then enlarged, or what is said.
StatusOr<int64_t> InterpSize(const proto::InterpParameter& param, int64_t size, int64_t said) {
  const bool zooms = param.has_zoom_factor();
  const bool shrinks = param.has_shrink_factor();
  if (param.zoom_factor() < 1 || param.shrink_factor() < 1) {
    return InvalidInput("zoom_factor is {}, shrink_factor {}", param.zoom_factor(),
                        param.shrink_factor());
  }
  if (!zooms && !shrinks) {
    if (said < 1) return InvalidInput("says neither a size nor a factor");
    return said;
  }
  if (shrinks) size = (size - 1) / param.shrink_factor() + 1;
  if (zooms) size += (size - 1) * (param.zoom_factor() - 1);
  return size;
}

// Resize by the nearest value to the left and above; `scales` for all axes.
Op Enlarge(LayerBuilder& builder, const std::vector<float>& scales) {
  ir::Value* by = builder.Constant("scales", ir::Tensor::Of<float>({4}, scales));
  return {"Resize",
          {builder.x(), nullptr, by},
          {{"coordinate_transformation_mode", "asymmetric"},
           {"mode", "nearest"},
           {"nearest_mode", "floor"}}};
}

}  // namespace

// Every value becomes a block of stride_h × stride_w, times `scale`.
Status Upsample(LayerBuilder& builder) {
  const proto::UpsampleParameter& param = builder.param().upsample_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_RETURN_IF_ERROR(RequireImage(builder));
  const int64_t height = param.has_stride_h() ? param.stride_h() : param.stride();
  const int64_t width = param.has_stride_w() ? param.stride_w() : param.stride();
  if (height < 1 || width < 1) return InvalidInput("strides are {} and {}", height, width);
  const Dims& from = builder.dims();
  const Dims dims = {from[0], from[1], from[2] * height, from[3] * width};
  Op enlarge = Enlarge(builder, {1, 1, static_cast<float>(height), static_cast<float>(width)});
  if (param.scale() == 1) return builder.Finish(std::move(enlarge), dims);
  ir::Value* enlarged = builder.Add("resize", std::move(enlarge));
  return builder.Finish({"Mul", {enlarged, builder.Scalar("scale", param.scale())}}, dims);
}

// Bilinear, corners on corners; negative padding cuts off first.
Status Interp(LayerBuilder& builder) {
  const proto::InterpParameter& param = builder.param().interp_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1, 2, 1, 1));
  LATHE_RETURN_IF_ERROR(RequireImage(builder));
  const int64_t begin = param.pad_beg();
  const int64_t end = param.pad_end();
  if (begin > 0 || end > 0) {
    return InvalidInput("pad_beg is {}, pad_end {}: only cutting off is possible", begin, end);
  }
  const Dims& from = builder.dims();
  Dims dims = from;
  for (const size_t axis : {2, 3}) {
    const int64_t size = from[axis] + begin + end;
    if (size < 1) return InvalidInput("cuts off all of axis {}", axis);
    if (builder.num_bottoms() == 2) {
      if (builder.bottom(1).dims.size() != 4) {
        return InvalidInput("bottom 1 is {}, no image", DimsText(builder.bottom(1).dims));
      }
      dims[axis] = builder.bottom(1).dims[axis];
    } else {
      LATHE_ASSIGN_OR_RETURN(dims[axis],
                             InterpSize(param, size, axis == 2 ? param.height() : param.width()));
    }
    if (dims[axis] < 1 || dims[axis] > kLargest) {
      return InvalidInput("would make {} of axis {}", dims[axis], axis);
    }
  }
  ir::Value* x = builder.x();
  if (begin != 0 || end != 0) {
    x = builder.Add("cut", {"Slice",
                            {x, builder.Ints("starts", {-begin, -begin}),
                             builder.Ints("ends", {from[2] + end, from[3] + end}),
                             builder.Ints("axes", {2, 3})}});
  }
  // The sizes ask for the batch, too.
  ir::Value* shape = builder.Add("shape", {"Shape", {x}});
  ir::Value* front =
      builder.Add("front", {"Slice",
                            {shape, builder.Ints("first", {0}), builder.Ints("second", {2}),
                             builder.Ints("zero", {0})}});
  ir::Value* sizes = builder.Add(
      "sizes",
      {"Concat", {front, builder.Ints("size", {dims[2], dims[3]})}, {{"axis", int64_t{0}}}});
  return builder.Finish({"Resize",
                         {x, nullptr, nullptr, sizes},
                         {{"coordinate_transformation_mode", "align_corners"}, {"mode", "linear"}}},
                        dims);
}

// Bottom 1 has a row (batch, x1, y1, x2, y2) for each region.
Status RoiPooling(LayerBuilder& builder) {
  const proto::ROIPoolingParameter& param = builder.param().roi_pooling_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(2));
  LATHE_RETURN_IF_ERROR(RequireImage(builder));
  if (param.pooled_h() < 1 || param.pooled_w() < 1) {
    return InvalidInput("pools to {} by {}", param.pooled_h(), param.pooled_w());
  }
  if (param.has_spatial_scale_h() || param.has_spatial_scale_w()) {
    return Unsupported("has a scale for each axis, which no standard operator has");
  }
  const Dims& regions = builder.bottom(1).dims;
  if (regions.empty() || CountOf(regions, 1, regions.size()) != 5) {
    return InvalidInput("bottom 1 is {}, rows of five are expected", DimsText(regions));
  }
  ir::Value* rows = builder.bottom(1).value;
  if (regions.size() != 2) rows = builder.Add("rows", {"Flatten", {rows}, {{"axis", int64_t{1}}}});
  const std::vector<int64_t> pooled = {param.pooled_h(), param.pooled_w()};
  return builder.Finish({"MaxRoiPool",
                         {builder.x(), rows},
                         {{"pooled_shape", pooled}, {"spatial_scale", param.spatial_scale()}}},
                        Dims{regions[0], builder.dims()[1], pooled[0], pooled[1]});
}

}  // namespace lathe::frontends::caffe
