#include <limits>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

constexpr size_t kAny = std::numeric_limits<size_t>::max();

// The axis under its present or its old name.
StatusOr<int64_t> AxisOf(const LayerBuilder& builder, bool has_old, uint32_t old, int64_t axis) {
  return builder.Axis(has_old ? int64_t{old} : axis);
}

// Where the parts of a Slice end, from its points or in equal parts.
StatusOr<std::vector<int64_t>> PartSizes(const proto::SliceParameter& param, int64_t extent,
                                         size_t parts) {
  const auto count = static_cast<int64_t>(parts);
  if (param.slice_point_size() == 0) {
    if (extent % count != 0) {
      return InvalidInput("an extent of {} does not divide into {} tops", extent, parts);
    }
    return std::vector<int64_t>(parts, extent / count);
  }
  if (param.slice_point_size() != count - 1) {
    return InvalidInput("has {} slice points for {} tops", param.slice_point_size(), parts);
  }
  std::vector<int64_t> sizes;
  int64_t from = 0;
  for (const int64_t point : param.slice_point()) {
    if (point <= from || point >= extent) {
      return InvalidInput("slice point {} does not lie between {} and {}", point, from, extent);
    }
    sizes.push_back(point - from);
    from = point;
  }
  sizes.push_back(extent - from);
  return sizes;
}

}  // namespace

Status Concat(LayerBuilder& builder) {
  const proto::ConcatParameter& param = builder.param().concat_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1, kAny, 1, 1));
  LATHE_ASSIGN_OR_RETURN(const int64_t axis,
                         AxisOf(builder, param.has_concat_dim(), param.concat_dim(), param.axis()));
  const auto at = static_cast<size_t>(axis);
  Dims dims = builder.dims();
  Op op{"Concat", {}, {{"axis", axis}}};
  for (size_t i = 0; i < builder.num_bottoms(); ++i) {
    op.inputs.push_back(builder.bottom(i).value);
    if (i == 0) continue;
    Dims other = builder.bottom(i).dims;
    if (other.size() != dims.size()) {
      return InvalidInput("bottoms {} and {} have different numbers of axes", DimsText(dims),
                          DimsText(other));
    }
    const bool free = dims[at] == kFree || other[at] == kFree;
    const int64_t joined = free ? kFree : dims[at] + other[at];
    other[at] = dims[at];
    // A batch may turn out to be the number that another bottom says.
    for (size_t k = 0; k < dims.size(); ++k) {
      if (k == at || dims[k] == other[k] || dims[k] == kFree || other[k] == kFree) continue;
      return InvalidInput("bottoms {} and {} do not fit along axis {}", DimsText(dims),
                          DimsText(builder.bottom(i).dims), k);
    }
    dims[at] = joined;
  }
  return builder.Finish(std::move(op), dims);
}

Status Slice(LayerBuilder& builder) {
  const proto::SliceParameter& param = builder.param().slice_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1, 1, 1, kAny));
  LATHE_ASSIGN_OR_RETURN(const int64_t axis,
                         AxisOf(builder, param.has_slice_dim(), param.slice_dim(), param.axis()));
  const auto at = static_cast<size_t>(axis);
  if (builder.num_tops() == 1) {
    return builder.Finish({"Identity", {builder.x()}}, builder.dims());
  }
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, at));
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes,
                         PartSizes(param, builder.dims()[at], builder.num_tops()));
  std::vector<Dims> dims;
  for (const int64_t size : sizes) {
    dims.push_back(builder.dims());
    dims.back()[at] = size;
  }
  return builder.Finish({"Split", {builder.x(), builder.Ints("sizes", sizes)}, {{"axis", axis}}},
                        dims);
}

}  // namespace lathe::frontends::caffe
