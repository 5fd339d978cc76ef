// Layers that map each value by itself, with at most one parameter.
#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

Status ClipTo(LayerBuilder& builder, float min, float max) {
  ir::Value* low = builder.Scalar("min", min);
  ir::Value* high = builder.Scalar("max", max);
  return builder.Finish({"Clip", {builder.x(), low, high}}, builder.dims());
}

}  // namespace

Status SimpleActivation(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const std::string& type = builder.param().type();
  if (type == "ReLU6") return ClipTo(builder, 0, 6);
  Op op{.inputs = {builder.x()}};
  if (type == "AbsVal") op.type = "Abs";
  // log(1 + exp(x)).
  if (type == "BNLL") op.type = "Softplus";
  if (type == "Sigmoid") op.type = "Sigmoid";
  if (type == "TanH") op.type = "Tanh";
  if (type == "ELU") {
    op.type = "Elu";
    op.attributes = {{"alpha", builder.param().elu_param().alpha()}};
  }
  return builder.Finish(std::move(op), builder.dims());
}

Status Relu(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const float slope = builder.param().relu_param().negative_slope();
  if (slope == 0) return builder.Finish({"Relu", {builder.x()}}, builder.dims());
  return builder.Finish({"LeakyRelu", {builder.x()}, {{"alpha", slope}}}, builder.dims());
}

Status PRelu(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_RETURN_IF_ERROR(builder.CheckWeights(1));
  Dims stored = {1};
  Dims dims = {1};
  if (!builder.param().prelu_param().channel_shared()) {
    if (builder.rank() < 2) {
      return InvalidInput("bottom {} has no channels", DimsText(builder.dims()));
    }
    LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 1));
    // Ones for the axes behind the channels.
    stored = {builder.dims()[1]};
    dims.assign(static_cast<size_t>(builder.rank() - 1), 1);
    dims[0] = stored[0];
  }
  LATHE_ASSIGN_OR_RETURN(ir::Value * slope, builder.Weight(0, stored, "slope", dims));
  return builder.Finish({"PRelu", {builder.x(), slope}}, builder.dims());
}

Status Clip(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const proto::ClipParameter& param = builder.param().clip_param();
  if (!builder.param().has_clip_param()) return InvalidInput("has no clip_param");
  if (!(param.min() <= param.max())) {
    return InvalidInput("clips to [{}, {}]", param.min(), param.max());
  }
  return ClipTo(builder, param.min(), param.max());
}

// x · sigmoid(beta · x).
Status Swish(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const float beta = builder.param().swish_param().beta();
  ir::Value* inside = builder.x();
  if (beta != 1) inside = builder.Add("beta", {"Mul", {inside, builder.Scalar("factor", beta)}});
  ir::Value* gate = builder.Add("sigmoid", {"Sigmoid", {inside}});
  return builder.Finish({"Mul", {builder.x(), gate}}, builder.dims());
}

// 1 where a value is larger, else 0.
Status Threshold(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  ir::Value* limit = builder.Scalar("limit", builder.param().threshold_param().threshold());
  ir::Value* larger = builder.Add("greater", {"Greater", {builder.x(), limit}});
  const auto type = static_cast<int64_t>(ir::ElementType::kFloat32);
  return builder.Finish({"Cast", {larger}, {{"to", type}}}, builder.dims());
}

// Of the kind that scales its values when the net is used; the other kind changes nothing.
Status Dropout(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const float kept = 1 - builder.param().dropout_param().dropout_ratio();
  return builder.Finish({"Mul", {builder.x(), builder.Scalar("kept", kept)}}, builder.dims());
}

}  // namespace lathe::frontends::caffe
