#include "lathe/frontends/config/internal/retrain_fields.h"

#include "lathe/support/decimal_text.h"

namespace lathe::frontends {
namespace {

namespace proto = AMCTPytorchProto;

int64_t Bits(proto::DataType type) {
  switch (type) {
    case proto::INT4:
      return 4;
    case proto::INT16:
      return 16;
    case proto::INT8:
      break;
  }
  return 8;
}

quant::RetrainDataConfig Read(const proto::RetrainDataQuantConfig& message) {
  const proto::ActULQquantize& ulq = message.ulq_quantize();
  quant::RetrainDataConfig data;
  if (ulq.has_clip_max_min()) {
    data.clips = {ShortestDecimal(ulq.clip_max_min().clip_max()),
                  ShortestDecimal(ulq.clip_max_min().clip_min())};
  }
  if (ulq.has_fixed_min()) data.fixed_min = ulq.fixed_min();
  data.num_bits = Bits(ulq.dst_type());
  return data;
}

template <typename Algorithm>
quant::RetrainWeightConfig Read(const Algorithm& algorithm, bool ulq) {
  quant::RetrainWeightConfig weight;
  weight.ulq = ulq;
  if (algorithm.has_channel_wise()) weight.channel_wise = algorithm.channel_wise();
  weight.num_bits = Bits(algorithm.dst_type());
  return weight;
}

quant::RetrainWeightConfig Read(const proto::RetrainWeightQuantConfig& message) {
  return message.has_ulq_retrain() ? Read(message.ulq_retrain(), true)
                                   : Read(message.arq_retrain(), false);
}

template <typename Message>
quant::RetrainOverride Read(const std::string& target, const Message& message) {
  return {target, Read(message.retrain_data_quant_config()),
          Read(message.retrain_weight_quant_config())};
}

}  // namespace

quant::AmctRetrainConfig ReadRetrainFields(const proto::AMCTRetrainConfig& message) {
  quant::AmctRetrainConfig config;
  config.batch_num = message.batch_num();
  config.force_fp16_quant =
      message.fakequant_precision_mode() == proto::AMCTRetrainConfig::FORCE_FP16_QUANT;
  config.data = Read(message.retrain_data_quant_config());
  config.weight = Read(message.retrain_weight_quant_config());
  config.skip_layers = ToStringVector(message.skip_layers());
  config.skip_layer_types = ToStringVector(message.skip_layer_types());
  config.quant_skip_layers = ToStringVector(message.quant_skip_layers());
  config.quant_skip_types = ToStringVector(message.quant_skip_types());
  for (const auto& entry : message.override_layer_types()) {
    config.override_layer_types.push_back(Read(entry.layer_type(), entry));
  }
  for (const auto& entry : message.override_layer_configs()) {
    config.override_layer_configs.push_back(Read(entry.layer_name(), entry));
  }
  return config;
}

}  // namespace lathe::frontends
