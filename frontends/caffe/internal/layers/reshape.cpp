// Layers that only look at their values in another shape or order: Reshape, Flatten, Permute.
#include <algorithm>
#include <optional>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

Status FinishReshape(LayerBuilder& builder, const std::vector<int64_t>& shape, const Dims& dims) {
  return builder.Finish({"Reshape", {builder.x(), builder.Ints("shape", shape)}}, dims);
}

// What ONNX's Reshape is asked for, and what is known about the result.
struct Target {
  std::vector<int64_t> shape;
  Dims dims;
  // Of the -1.
  std::optional<size_t> inferred;
};

// Copies the bottom's axis `from`.
Status Copy(const LayerBuilder& builder, size_t from, Target& target) {
  const int64_t extent = builder.dims()[from];
  if (extent == kFree && from != target.shape.size()) {
    return Unsupported("moves axis {} of bottom {}, which depends on the batch", from,
                       DimsText(builder.dims()));
  }
  target.shape.push_back(extent == kFree ? 0 : extent);
  target.dims.push_back(extent);
  return OkStatus();
}

// The extent that -1 stands for, where nothing depends on the batch.
Status Infer(const LayerBuilder& builder, Target& target) {
  const Dims& from = builder.dims();
  // What is copied on both sides cancels out.
  const bool free_copied = !target.dims.empty() && !from.empty() && from[0] == kFree &&
                           target.dims[0] == kFree && target.inferred != 0U;
  const size_t skip = free_copied ? 1 : 0;
  const int64_t count = CountOf(from, skip, from.size());
  int64_t known = 1;
  for (size_t i = skip; i < target.dims.size(); ++i) {
    if (i == target.inferred) continue;
    if (target.dims[i] == kFree || count == kFree) return OkStatus();
    if (target.dims[i] < 1 || target.dims[i] > count / known) {
      return InvalidInput("cannot give bottom {} the shape {}", DimsText(from),
                          DimsText(target.shape));
    }
    known *= target.dims[i];
  }
  if (count == kFree) return OkStatus();
  if (count % known != 0 || (!target.inferred && count != known)) {
    return InvalidInput("cannot give bottom {} the shape {}", DimsText(from),
                        DimsText(target.shape));
  }
  if (!target.inferred) return OkStatus();
  target.dims[*target.inferred] = count / known;
  target.shape[*target.inferred] = count / known;
  return OkStatus();
}

}  // namespace

Status Reshape(LayerBuilder& builder) {
  const proto::ReshapeParameter& param = builder.param().reshape_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  // -1 is behind the last axis here.
  const int64_t rank = builder.rank();
  const int64_t axis = param.axis() < 0 ? param.axis() + rank + 1 : param.axis();
  const int64_t end = param.num_axes() == -1 ? rank : axis + param.num_axes();
  if (axis < 0 || axis > rank || param.num_axes() < -1 || end > rank) {
    return InvalidInput("reshapes {} axes from {} on of bottom {}", param.num_axes(), param.axis(),
                        DimsText(builder.dims()));
  }
  Target target;
  for (int64_t i = 0; i < axis; ++i) {
    LATHE_RETURN_IF_ERROR(Copy(builder, static_cast<size_t>(i), target));
  }
  for (int i = 0; i < param.shape().dim_size(); ++i) {
    const int64_t extent = param.shape().dim(i);
    if (extent == 0) {
      const int64_t from = axis + i;
      if (from >= end) {
        return InvalidInput("copies axis {} of bottom {}, which is not there to be reshaped", from,
                            DimsText(builder.dims()));
      }
      LATHE_RETURN_IF_ERROR(Copy(builder, static_cast<size_t>(from), target));
      continue;
    }
    if (extent < -1 || (extent == -1 && target.inferred)) {
      return InvalidInput("has {} as dim {} of its shape", extent, i);
    }
    if (extent == -1) target.inferred = target.shape.size();
    target.shape.push_back(extent);
    target.dims.push_back(extent);
  }
  for (int64_t i = end; i < rank; ++i) {
    LATHE_RETURN_IF_ERROR(Copy(builder, static_cast<size_t>(i), target));
  }
  LATHE_RETURN_IF_ERROR(Infer(builder, target));
  return FinishReshape(builder, target.shape, target.dims);
}

Status Flatten(LayerBuilder& builder) {
  const proto::FlattenParameter& param = builder.param().flatten_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_ASSIGN_OR_RETURN(const int64_t first, builder.Axis(param.axis()));
  LATHE_ASSIGN_OR_RETURN(const int64_t last, builder.Axis(param.end_axis()));
  if (first > last) return InvalidInput("flattens axes {} to {}", first, last);
  const Dims& from = builder.dims();
  const auto begin = static_cast<size_t>(first);
  const auto end = static_cast<size_t>(last) + 1;
  const int64_t joined = CountOf(from, begin, end);
  Dims dims(from.begin(), from.begin() + first);
  dims.push_back(joined);
  dims.insert(dims.end(), from.begin() + last + 1, from.end());
  if (first == 1 && last + 1 == builder.rank()) {
    return builder.Finish({"Flatten", {builder.x()}, {{"axis", int64_t{1}}}}, dims);
  }
  std::vector<int64_t> shape = dims;
  // Extents that are free: the joined one is computed, those in front are copied.
  for (size_t i = 0; i < begin; ++i) shape[i] = dims[i] == kFree ? 0 : dims[i];
  return FinishReshape(builder, shape, dims);
}

Status Permute(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const int64_t rank = builder.rank();
  std::vector<int64_t> order;
  const auto add = [&](int64_t axis) {
    if (axis >= rank || std::ranges::find(order, axis) != order.end()) return false;
    order.push_back(axis);
    return true;
  };
  for (const int64_t axis : builder.param().permute_param().order()) {
    if (add(axis)) continue;
    return InvalidInput("order {} is no axis of bottom {}, or said twice", axis,
                        DimsText(builder.dims()));
  }
  // Axes that are not named follow in their order.
  for (int64_t axis = 0; axis < rank; ++axis) add(axis);
  Dims dims;
  for (const int64_t axis : order) dims.push_back(builder.dims()[static_cast<size_t>(axis)]);
  return builder.Finish({"Transpose", {builder.x()}, {{"perm", std::move(order)}}}, dims);
}

}  // namespace lathe::frontends::caffe
