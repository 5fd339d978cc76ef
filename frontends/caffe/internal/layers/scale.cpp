// Scale and Bias: what their second bottom, or a weight, says is repeated over the other axes.
#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

// The axes of bottom 0 that a weight has: from `axis`, `num_axes` of them (-1: to the end).
StatusOr<Dims> WeightDims(const LayerBuilder& builder, int64_t axis, int64_t num_axes) {
  const int64_t end = num_axes == -1 ? builder.rank() : axis + num_axes;
  if (num_axes < -1 || end > builder.rank()) {
    return InvalidInput("num_axes is {} from axis {} of bottom {}", num_axes, axis,
                        DimsText(builder.dims()));
  }
  Dims dims(builder.dims().begin() + axis, builder.dims().begin() + end);
  for (const int64_t extent : dims) {
    if (extent == kFree) {
      return InvalidInput("its weight would have the batch's axis of bottom {}",
                          DimsText(builder.dims()));
    }
  }
  return dims;
}

// With ones behind, for the axes of bottom 0 that a weight which starts at `axis` lacks.
Dims Aligned(Dims dims, int64_t axis, int64_t rank) {
  dims.resize(static_cast<size_t>(rank - axis), 1);
  return dims;
}

// Bottom 1 in the shape of bottom 0's axes from `axis` on.
StatusOr<ir::Value*> AlignedBottom(LayerBuilder& builder, int64_t axis) {
  const Blob& second = builder.bottom(1);
  const auto own = static_cast<int64_t>(second.dims.size());
  for (int64_t i = 0; i < own; ++i) {
    const bool fits =
        axis + i < builder.rank() &&
        second.dims[static_cast<size_t>(i)] == builder.dims()[static_cast<size_t>(axis + i)];
    if (!fits) {
      return InvalidInput("bottoms {} and {} do not fit from axis {} on", DimsText(builder.dims()),
                          DimsText(second.dims), axis);
    }
  }
  std::vector<int64_t> added;
  for (int64_t i = own; i < builder.rank() - axis; ++i) added.push_back(i);
  if (added.empty()) return second.value;
  return builder.Add("unsqueeze", {"Unsqueeze", {second.value, builder.Ints("axes", added)}});
}

struct Operands {
  ir::Value* first = nullptr;
  // Null: there is none.
  ir::Value* bias = nullptr;
};

// The weights of a Scale or Bias, `with_bias`: the last blob is a bias.
StatusOr<Operands> ReadOperands(LayerBuilder& builder, int64_t axis, int64_t num_axes,
                                std::string_view part, bool with_bias) {
  const size_t bottoms = builder.num_bottoms();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1, 2, 1, 1));
  LATHE_ASSIGN_OR_RETURN(axis, builder.Axis(axis, /*allow_end=*/true));
  const size_t own = bottoms == 1 ? 1 : 0;
  LATHE_RETURN_IF_ERROR(builder.CheckWeights(own + (with_bias ? 1 : 0)));
  Operands operands;
  Dims dims;
  if (bottoms == 1) {
    LATHE_ASSIGN_OR_RETURN(dims, WeightDims(builder, axis, num_axes));
    LATHE_ASSIGN_OR_RETURN(operands.first,
                           builder.Weight(0, dims, part, Aligned(dims, axis, builder.rank())));
  } else {
    LATHE_ASSIGN_OR_RETURN(operands.first, AlignedBottom(builder, axis));
    if (with_bias) {
      const auto count = static_cast<int64_t>(builder.bottom(1).dims.size());
      LATHE_ASSIGN_OR_RETURN(dims, WeightDims(builder, axis, count));
    }
  }
  if (with_bias) {
    LATHE_ASSIGN_OR_RETURN(operands.bias,
                           builder.Weight(own, dims, "bias", Aligned(dims, axis, builder.rank())));
  }
  return operands;
}

}  // namespace

bool IsChannelScale(const proto::LayerParameter& layer) {
  const proto::ScaleParameter& param = layer.scale_param();
  return layer.type() == "Scale" && param.axis() == 1 && param.num_axes() == 1;
}

Status Scale(LayerBuilder& builder) {
  const proto::ScaleParameter& param = builder.param().scale_param();
  LATHE_ASSIGN_OR_RETURN(
      const Operands operands,
      ReadOperands(builder, param.axis(), param.num_axes(), "scale", param.bias_term()));
  Chain chain(builder);
  chain.Then("mul", {"Mul", {nullptr, operands.first}});
  if (operands.bias != nullptr) chain.Then("add", {"Add", {nullptr, operands.bias}});
  return chain.Finish(builder.x(), builder.dims());
}

Status Bias(LayerBuilder& builder) {
  const proto::BiasParameter& param = builder.param().bias_param();
  LATHE_ASSIGN_OR_RETURN(
      const Operands operands,
      ReadOperands(builder, param.axis(), param.num_axes(), "bias", /*with_bias=*/false));
  return builder.Finish({"Add", {builder.x(), operands.first}}, builder.dims());
}

// SENet's a·x + y with a value of a[N, C, 1, 1] for each channel.
Status Axpy(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(3));
  const Dims& x = builder.bottom(1).dims;
  const Dims& a = builder.bottom(0).dims;
  const bool fits = x == builder.bottom(2).dims && x.size() == 4 &&
                    (a == Dims{x[0], x[1], 1, 1} || a == Dims{x[0], x[1]});
  if (!fits) {
    return InvalidInput("bottoms {}, {} and {} do not fit", DimsText(a), DimsText(x),
                        DimsText(builder.bottom(2).dims));
  }
  ir::Value* factor = builder.x();
  if (a.size() == 2) {
    factor = builder.Add("unsqueeze", {"Unsqueeze", {factor, builder.Ints("axes", {2, 3})}});
  }
  ir::Value* product = builder.Add("mul", {"Mul", {factor, builder.bottom(1).value}});
  return builder.Finish({"Add", {product, builder.bottom(2).value}}, x);
}

}  // namespace lathe::frontends::caffe
