#include "lathe/frontends/config/retrain_cfg.h"

#include <array>

#include "lathe/frontends/config/internal/text_proto.h"
#include "lathe/proto/retrain_config.pb.h"
#include "lathe/support/decimal_text.h"

namespace lathe::frontends {
namespace {

namespace proto = AMCTPytorchProto;

constexpr std::string_view kNoPruning =
    "this configuration is for quantisation alone, pruning has its own: remove the field";

constexpr std::array<RefusedField, 5> kRefused = {{
    {"AMCTRetrainConfig.prune_config", kNoPruning},
    {"AMCTRetrainConfig.regular_prune_skip_layers", kNoPruning},
    {"AMCTRetrainConfig.regular_prune_skip_types", kNoPruning},
    {"RetrainOverrideLayer.prune_config", kNoPruning},
    {"RetrainOverrideLayerType.prune_config", kNoPruning},
}};

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

template <typename Strings>
std::vector<std::string> ToVector(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

}  // namespace

StatusOr<quant::AmctRetrainConfig> ParseRetrainCfg(std::string_view text) {
  proto::AMCTRetrainConfig message;
  google::protobuf::TextFormat::ParseInfoTree places;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message, &places));
  LATHE_RETURN_IF_ERROR(RefuseFields(message, places, kRefused));
  LATHE_RETURN_IF_ERROR(RequireFields(message, places));
  quant::AmctRetrainConfig config;
  config.batch_num = message.batch_num();
  config.force_fp16_quant =
      message.fakequant_precision_mode() == proto::AMCTRetrainConfig::FORCE_FP16_QUANT;
  config.data = Read(message.retrain_data_quant_config());
  config.weight = Read(message.retrain_weight_quant_config());
  config.skip_layers = ToVector(message.skip_layers());
  config.skip_layer_types = ToVector(message.skip_layer_types());
  config.quant_skip_layers = ToVector(message.quant_skip_layers());
  config.quant_skip_types = ToVector(message.quant_skip_types());
  for (const auto& entry : message.override_layer_types()) {
    config.override_layer_types.push_back(Read(entry.layer_type(), entry));
  }
  for (const auto& entry : message.override_layer_configs()) {
    config.override_layer_configs.push_back(Read(entry.layer_name(), entry));
  }
  return config;
}

}  // namespace lathe::frontends
