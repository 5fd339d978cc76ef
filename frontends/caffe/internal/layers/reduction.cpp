// Layers that pick or sum up values: Reduction, ArgMax.
#include <algorithm>
#include <limits>
#include <numeric>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

using proto::ReductionParameter;

// Sums by ReduceSum, of what the layer sums; its axes are an operand in this operator set, those of
// ReduceMean an attribute.
Op Reduce(LayerBuilder& builder, ReductionParameter::ReductionOp operation,
          const std::vector<int64_t>& axes) {
  ir::Value* x = builder.x();
  switch (operation) {
    case ReductionParameter::MEAN:
      return {"ReduceMean", {x}, {{"axes", axes}, {"keepdims", int64_t{0}}}};
    case ReductionParameter::ASUM:
      x = builder.Add("abs", {"Abs", {x}});
      break;
    case ReductionParameter::SUMSQ:
      x = builder.Add("square", {"Mul", {x, x}});
      break;
    case ReductionParameter::SUM:
      break;
  }
  return {"ReduceSum", {x, builder.Ints("axes", axes)}, {{"keepdims", int64_t{0}}}};
}

}  // namespace

Status Reduction(LayerBuilder& builder) {
  const ReductionParameter& param = builder.param().reduction_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_ASSIGN_OR_RETURN(const int64_t axis, builder.Axis(param.axis()));
  std::vector<int64_t> axes(static_cast<size_t>(builder.rank() - axis));
  std::iota(axes.begin(), axes.end(), axis);
  const Dims dims(builder.dims().begin(), builder.dims().begin() + axis);
  Op reduce = Reduce(builder, param.operation(), axes);
  if (param.coeff() == 1) return builder.Finish(std::move(reduce), dims);
  ir::Value* reduced = builder.Add("reduce", std::move(reduce));
  return builder.Finish({"Mul", {reduced, builder.Scalar("coeff", param.coeff())}}, dims);
}

// The positions of the largest values as floats, of equal values the last first; or the values.
// Without an axis: over all of a sample, as [N, 1 or 2, top_k], the values behind the positions.
Status ArgMax(LayerBuilder& builder) {
  const proto::ArgMaxParameter& param = builder.param().argmax_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  ir::Value* x = builder.x();
  int64_t axis = 1;
  Dims dims = builder.dims();
  if (param.has_axis()) {
    LATHE_ASSIGN_OR_RETURN(axis, builder.Axis(param.axis()));
  } else {
    if (dims.empty()) return InvalidInput("bottom {} has no samples", DimsText(dims));
    x = builder.Add("flatten", {"Flatten", {x}, {{"axis", int64_t{1}}}});
    dims = {dims[0], CountOf(dims, 1, dims.size())};
  }
  const auto at = static_cast<size_t>(axis);
  const int64_t extent = dims[at];
  const int64_t top_k = param.top_k();
  if (extent == kFree) return Unsupported("looks along axis {}, which depends on the batch", axis);
  if (top_k < 1 || top_k > extent) return InvalidInput("top_k is {} of {} values", top_k, extent);

  // Backwards, so that of equal values the last counts.
  ir::Value* backwards =
      builder.Add("reverse", {"Slice",
                              {x, builder.Ints("starts", {-1}),
                               builder.Ints("ends", {std::numeric_limits<int64_t>::min()}),
                               builder.Ints("axes", {axis}), builder.Ints("steps", {-1})}});
  const std::vector<ir::Value*> top = builder.AddSeveral(
      "topk", {"TopK", {backwards, builder.Ints("k", {top_k})}, {{"axis", axis}}}, 2);
  const auto type = static_cast<int64_t>(ir::ElementType::kFloat32);
  ir::Value* found = builder.Add("cast", {"Cast", {top[1]}, {{"to", type}}});
  Op position{"Sub", {builder.Scalar("last", static_cast<float>(extent - 1)), found}};

  dims[at] = top_k;
  if (param.has_axis()) {
    if (param.out_max_val()) return builder.Finish({"Identity", {top[0]}}, dims);
    return builder.Finish(std::move(position), dims);
  }
  Dims shaped(std::max<size_t>(builder.dims().size(), 3), 1);
  shaped[0] = dims[0];
  shaped[2] = top_k;
  if (param.out_max_val()) shaped[1] = 2;
  std::vector<int64_t> shape = shaped;
  if (shape[0] == kFree) shape[0] = 0;
  ir::Value* result = builder.Add("position", std::move(position));
  if (param.out_max_val()) {
    result = builder.Add("join", {"Concat", {result, top[0]}, {{"axis", int64_t{1}}}});
  }
  return builder.Finish({"Reshape", {result, builder.Ints("shape", shape)}}, shaped);
}

}  // namespace lathe::frontends::caffe
