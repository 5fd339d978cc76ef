#include "lathe/frontends/caffe/internal/layers.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

// Mean and variance are stored times the third blob; 0 there makes them 0 (the reference's 3.8).
StatusOr<ir::Value*> Statistic(LayerBuilder& builder, size_t blob, int64_t channels,
                               std::string_view part) {
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor factor_blob, builder.WeightTensor(2, {1}));
  LATHE_ASSIGN_OR_RETURN(const float factor, factor_blob.ScalarValue<float>());
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor stored, builder.WeightTensor(blob, {channels}));
  LATHE_ASSIGN_OR_RETURN(std::vector<float> values, stored.Values<float>());
  const float by = factor == 0 ? 0 : 1 / factor;
  for (float& value : values) value *= by;
  return builder.Constant(part, ir::Tensor::Of<float>({channels}, values));
}

Status Check(const LayerBuilder& builder) {
  const proto::BatchNormParameter& param = builder.param().batch_norm_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  if (builder.rank() < 2) {
    return InvalidInput("bottom {} has no channels", DimsText(builder.dims()));
  }
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 1));
  if (param.has_use_global_stats() && !param.use_global_stats()) {
    return WithContext(Unsupported("normalises each batch by itself"), ErrorContext::kHint,
                       "set use_global_stats: true");
  }
  return builder.CheckWeights(3);
}

Status Finish(LayerBuilder& builder, ir::Value* scale, ir::Value* bias) {
  const int64_t channels = builder.dims()[1];
  LATHE_ASSIGN_OR_RETURN(ir::Value * mean, Statistic(builder, 0, channels, "mean"));
  LATHE_ASSIGN_OR_RETURN(ir::Value * variance, Statistic(builder, 1, channels, "variance"));
  return builder.Finish({"BatchNormalization",
                         {builder.x(), scale, bias, mean, variance},
                         {{"epsilon", builder.param().batch_norm_param().eps()}}},
                        builder.dims());
}

ir::Value* Filled(LayerBuilder& builder, std::string_view part, float value) {
  const int64_t channels = builder.dims()[1];
  const std::vector<float> values(static_cast<size_t>(channels), value);
  return builder.Constant(part, ir::Tensor::Of<float>({channels}, values));
}

}  // namespace

Status BatchNorm(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(Check(builder));
  return Finish(builder, Filled(builder, "scale", 1), Filled(builder, "bias", 0));
}

Status BatchNormAndScale(LayerBuilder& builder, const proto::LayerParameter& scale,
                         WeightSource& weights) {
  LATHE_RETURN_IF_ERROR(Check(builder));
  const Dims channels = {builder.dims()[1]};
  const bool has_bias = scale.scale_param().bias_term();
  const auto in_scale = [&](const Status& status) {
    return AtPlace(status, "its Scale " + Quoted(scale.name()));
  };
  const Status count = weights.CheckCount(scale, has_bias ? 2 : 1);
  if (!count.ok()) return in_scale(count);
  const auto gamma = weights.Constant(scale, 0, channels, "scale", channels);
  if (!gamma.ok()) return in_scale(gamma.status());
  if (!has_bias) return Finish(builder, *gamma, Filled(builder, "bias", 0));
  const auto beta = weights.Constant(scale, 1, channels, "bias", channels);
  if (!beta.ok()) return in_scale(beta.status());
  return Finish(builder, *gamma, *beta);
}

}  // namespace lathe::frontends::caffe
