#include "lathe/frontends/config/kv_cfg.h"

#include <algorithm>
#include <string>
#include <vector>

#include "lathe/frontends/config/internal/ifmr_fields.h"
#include "lathe/frontends/config/internal/text_proto.h"
#include "lathe/proto/kv_calibration_config.pb.h"
#include "lathe/quant/config/layer_index.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

namespace proto = AMCTPytorchQuantCaliProto;
using quant::KvLayerConfig;

template <typename Message>
void ReadCommon(const Message& message, KvLayerConfig& layer) {
  if (message.has_asymmetric()) layer.activation.asymmetric = message.asymmetric();
  layer.per_channel = message.quant_granularity() == proto::per_channel;
}

KvLayerConfig Read(const proto::CalibrationConfig& message) {
  KvLayerConfig layer;
  if (message.has_hfmg_quantize()) {
    layer.activation.algorithm = quant::HfmgParameters{message.hfmg_quantize().num_of_bins()};
    ReadCommon(message.hfmg_quantize(), layer);
  } else {
    layer.activation.algorithm = ReadIfmr(message.ifmr_quantize());
    ReadCommon(message.ifmr_quantize(), layer);
  }
  return layer;
}

}  // namespace

StatusOr<quant::KvConfig> ParseKvCfg(std::string_view text) {
  proto::AMCTQuantCaliConfig message;
  google::protobuf::TextFormat::ParseInfoTree places;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message, &places));
  LATHE_RETURN_IF_ERROR(RequireFields(message, places));
  quant::KvConfig config;
  config.batch_num = message.batch_num();
  config.activation_offset = message.activation_offset();
  const proto::CommonCalibrationConfig& common = message.kv_cache_quant_config();
  for (const std::string& name : common.quant_layers()) {
    config.layers.push_back(Read(common.calibration_config()));
    config.layers.back().name = name;
  }
  constexpr std::string_view kOverrides = "override_layers_configs";
  std::vector<std::string> overridden;
  for (const proto::OverrideLayer& entry : message.override_layers_configs()) {
    overridden.push_back(entry.layer_name());
    const auto layer = std::ranges::find(config.layers, entry.layer_name(), &KvLayerConfig::name);
    if (layer == config.layers.end()) {
      return InvalidInput("{}: {} is not among quant_layers", kOverrides,
                          Quoted(entry.layer_name()));
    }
    *layer = Read(entry.kv_data_quant_config());
    layer->name = entry.layer_name();
  }
  LATHE_RETURN_IF_ERROR(quant::CheckUnique(kOverrides, overridden));
  LATHE_RETURN_IF_ERROR(quant::CheckKvConfig(config));
  return config;
}

}  // namespace lathe::frontends
