// Layers that make values out of nothing: DummyData, Parameter.
#include "lathe/frontends/caffe/internal/layers.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

Dims Shape(const proto::BlobShape& shape) { return {shape.dim().begin(), shape.dim().end()}; }

// The extents of top `i`, said as a shape or as four numbers, for each top or for all.
StatusOr<Dims> DummyDims(const proto::DummyDataParameter& param, int i, int tops) {
  const auto pick = [&](int count) { return count == 1 ? 0 : i; };
  const int shapes = param.shape_size();
  if (shapes == 1 || (shapes > 0 && shapes == tops)) return Shape(param.shape(pick(shapes)));
  const int count = param.num_size();
  const bool four =
      param.channels_size() == count && param.height_size() == count && param.width_size() == count;
  if (shapes > 0 || !four || (count != 1 && count != tops) || count == 0) {
    return InvalidInput("does not say one shape or one a top");
  }
  const int at = pick(count);
  return Dims{param.num(at), param.channels(at), param.height(at), param.width(at)};
}

}  // namespace

Status DummyData(LayerBuilder& builder) {
  const proto::DummyDataParameter& param = builder.param().dummy_data_param();
  const auto tops = static_cast<int>(builder.num_tops());
  if (builder.num_bottoms() != 0) return InvalidInput("has a bottom");
  const int fillers = param.data_filler_size();
  if (fillers > 1 && fillers != tops) {
    return InvalidInput("has {} fillers for {} tops", fillers, tops);
  }
  for (int i = 0; i < tops; ++i) {
    LATHE_ASSIGN_OR_RETURN(const Dims dims, DummyDims(param, i, tops));
    for (const int64_t extent : dims) {
      if (extent < 1) return InvalidInput("top {} has shape {}", i, DimsText(dims));
    }
    float value = 0;
    if (fillers > 0) {
      const proto::FillerParameter& filler = param.data_filler(fillers == 1 ? 0 : i);
      if (filler.type() != "constant") {
        return Unsupported("fills top {} with {} numbers", i, Quoted(filler.type()));
      }
      value = filler.value();
    }
    const std::string part = i == 0 ? "" : fmt::format("top{}", i);
    ir::Value* shape = builder.Ints(fmt::format("shape{}", i), dims);
    Op fill{"ConstantOfShape",
            {shape},
            {{"value", ir::Tensor::Of<float>({1}, std::span<const float>(&value, 1))}}};
    LATHE_RETURN_IF_ERROR(builder.FinishTop(static_cast<size_t>(i), std::move(fill), dims, part));
  }
  return OkStatus();
}

// A weight as a blob.
Status Parameter(LayerBuilder& builder) {
  if (builder.num_bottoms() != 0) return InvalidInput("has a bottom");
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(0));
  LATHE_RETURN_IF_ERROR(builder.CheckWeights(1));
  const Dims dims = Shape(builder.param().parameter_param().shape());
  for (const int64_t extent : dims) {
    if (extent < 1) return InvalidInput("its shape is {}", DimsText(dims));
  }
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor tensor, builder.WeightTensor(0, dims));
  return builder.Finish({"Constant", {}, {{"value", tensor}}}, dims);
}

}  // namespace lathe::frontends::caffe
