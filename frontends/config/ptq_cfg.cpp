#include "lathe/frontends/config/ptq_cfg.h"

#include <array>
#include <tuple>

#include "lathe/frontends/config/internal/ifmr_fields.h"
#include "lathe/frontends/config/internal/text_proto.h"
#include "lathe/proto/calibration_config.pb.h"
#include "lathe/support/decimal_text.h"

namespace lathe::frontends {
namespace {

namespace proto = AMCTPytorchProto;
using quant::ActivationConfig;
using quant::AdaOptions;
using quant::ArqOptions;
using quant::CalibrationChoice;
using quant::HfmgParameters;

constexpr std::string_view kNoNuq =
    "non-uniform quantisation is not done; the reference dropped it too, as accelerators gain "
    "nothing from it: remove the field";
constexpr std::string_view kNoWeightCompression =
    "weights are quantised together with activations, and never with an offset: remove the field";

// What only the ONNX flavour's files hold.
constexpr std::array<RefusedField, 4> kRefused = {{
    {"AMCTConfig.nuq_config", kNoNuq},
    {"CalibrationConfig.nuq_quantize", kNoNuq},
    {"ARQuantize.asymmetric", kNoWeightCompression},
    {"ARQuantize.weight_compress_only", kNoWeightCompression},
}};

template <typename Message>
std::optional<bool> Asymmetric(const Message& message) {
  return message.has_asymmetric() ? std::optional<bool>(message.asymmetric()) : std::nullopt;
}

ActivationConfig Read(const proto::FMRQuantize& message) {
  return {message.dst_type() == proto::FMRQuantize::INT16 ? 16 : 8, ReadIfmr(message),
          Asymmetric(message)};
}

ActivationConfig Read(const proto::HFMGQuantize& message) {
  return {message.dst_type() == proto::HFMGQuantize::INT16 ? 16 : 8,
          HfmgParameters{message.num_of_bins()}, Asymmetric(message)};
}

ArqOptions Read(const proto::ARQuantize& message) {
  ArqOptions options;
  if (message.has_channel_wise()) options.channel_wise = message.channel_wise();
  if (message.has_quant_bits()) options.quant_bits = message.quant_bits();
  return options;
}

AdaOptions Read(const proto::ADAquantize& message) {
  AdaOptions options;
  options.parameters.reg_param = ShortestDecimal(message.reg_param());
  options.parameters.warm_start = ShortestDecimal(message.warm_start());
  options.parameters.num_iteration = message.num_iteration();
  options.parameters.beta_range = {ShortestDecimal(message.beta_range_start()),
                                   ShortestDecimal(message.beta_range_end())};
  if (message.has_channel_wise()) options.channel_wise = message.channel_wise();
  return options;
}

CalibrationChoice Read(const proto::CalibrationConfig& message) {
  CalibrationChoice choice;
  if (message.has_arq_quantize()) choice.weight = Read(message.arq_quantize());
  if (message.has_ada_quantize()) choice.weight = Read(message.ada_quantize());
  if (message.has_ifmr_quantize()) choice.activation = Read(message.ifmr_quantize());
  if (message.has_hfmg_quantize()) choice.activation = Read(message.hfmg_quantize());
  if (message.has_dmq_balancer()) {
    choice.dmq_balancer_param = ShortestDecimal(message.dmq_balancer().migration_strength());
  }
  return choice;
}

// IFMR when no algorithm is named.
quant::TensorQuantizeConfig Read(const proto::TensorQuantize& message) {
  quant::TensorQuantizeConfig tensor;
  tensor.layer_name = message.layer_name();
  tensor.input_index = message.input_index();
  if (message.has_ifmr_quantize()) tensor.activation = Read(message.ifmr_quantize());
  if (message.has_hfmg_quantize()) tensor.activation = Read(message.hfmg_quantize());
  return tensor;
}

// The reference reads the older names only where the newer ones are absent; instead of passing over
// half of such a file, it is refused.
Status CheckOlderNames(const proto::AMCTConfig& message,
                       const google::protobuf::TextFormat::ParseInfoTree& places) {
  const bool has_types = !message.override_layer_types().empty();
  if (!message.has_common_config() && !has_types) return OkStatus();
  const std::string_view newer =
      message.has_common_config() ? "common_config" : "override_layer_types";
  for (const auto& [older, is_there, replacement] :
       {std::tuple("conv_calibration_config", message.has_conv_calibration_config(),
                   "common_config"),
        std::tuple("fc_calibration_config", message.has_fc_calibration_config(),
                   "override_layer_types")}) {
    if (!is_there) continue;
    return InvalidInput("{}{} cannot stand beside {}: write it as {}",
                        FieldPlace(message, places, older), older, newer, replacement);
  }
  return OkStatus();
}

}  // namespace

StatusOr<quant::AmctConfig> ParsePtqCfg(std::string_view text) {
  proto::AMCTConfig message;
  google::protobuf::TextFormat::ParseInfoTree places;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message, &places));
  LATHE_RETURN_IF_ERROR(RefuseFields(message, places, kRefused));
  LATHE_RETURN_IF_ERROR(RequireFields(message, places));
  LATHE_RETURN_IF_ERROR(CheckOlderNames(message, places));
  quant::AmctConfig config;
  config.batch_num = message.batch_num();
  config.activation_offset = message.activation_offset();
  config.joint_quant = message.joint_quant();
  config.skip_layers.assign(message.skip_layers().begin(), message.skip_layers().end());
  config.skip_layer_types.assign(message.skip_layer_types().begin(),
                                 message.skip_layer_types().end());
  config.force_fp16_quant = message.fakequant_precision_mode() == proto::FORCE_FP16_QUANT;
  if (message.has_common_config()) config.common_config = Read(message.common_config());
  if (message.has_conv_calibration_config()) {
    config.common_config = Read(message.conv_calibration_config());
  }
  if (message.has_fc_calibration_config()) {
    config.fc_calibration_config = Read(message.fc_calibration_config());
  }
  for (const auto& entry : message.override_layer_types()) {
    config.override_layer_types.push_back({entry.layer_type(), Read(entry.calibration_config())});
  }
  for (const auto& entry : message.override_layer_configs()) {
    config.override_layer_configs.push_back({entry.layer_name(), Read(entry.calibration_config())});
  }
  for (const auto& entry : message.tensor_quantize()) config.tensor_quantize.push_back(Read(entry));
  config.do_fusion = message.do_fusion();
  config.skip_fusion_layers.assign(message.skip_fusion_layers().begin(),
                                   message.skip_fusion_layers().end());
  return config;
}

}  // namespace lathe::frontends
