#include "lathe/quant/config/quant_settings.h"

#include <utility>

#include "lathe/quant/config/layer_index.h"
#include "lathe/quant/config/layer_rules.h"
#include "lathe/quant/config/tensor_quantize.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

Status CheckValues(const PtqLayerConfig& layer, const std::string& where) {
  if (layer.dmq_balancer_param.has_value()) {
    LATHE_RETURN_IF_ERROR(CheckBalancing(where, *layer.dmq_balancer_param));
  }
  LATHE_RETURN_IF_ERROR(
      CheckActivationValues(where + ", activation_quant_params", layer.activation));
  if (!layer.weight.has_value()) return OkStatus();
  return CheckWeightValues(where + ", weight_quant_params", *layer.weight);
}

// An error when the layer's type cannot take a setting.
Status CheckAbility(const PtqLayerConfig& config, const LayerDescription& layer,
                    const std::string& where) {
  Reason reason;
  if (config.dmq_balancer_param.has_value()) {
    if ((reason = WhyNotBalancing(layer.type))) {
      return InvalidInput("{}: dmq_balancer_param: {}", where, *reason);
    }
  }
  if (config.activation.num_bits == 16 && (reason = WhyNotInt16(layer))) {
    return InvalidInput("{}, activation_quant_params: num_bits is 16: {}", where, *reason);
  }
  if (config.activation.num_bits == 4 && (reason = WhyNotInt4Activations(layer.type))) {
    return InvalidInput("{}, activation_quant_params: num_bits is 4: {}", where, *reason);
  }
  if (config.activation.asymmetric.value_or(false) && (reason = WhyNotAsymmetric(layer.type))) {
    return InvalidInput("{}, activation_quant_params: asymmetric is true: {}", where, *reason);
  }
  if (!config.weight.has_value()) return OkStatus();
  const WeightConfig& weight = *config.weight;
  const std::string in_weight = where + ", weight_quant_params";
  if ((weight.num_bits == 6 || weight.num_bits == 7) && (reason = WhyNotInt6Weights(layer.type))) {
    return InvalidInput("{}: num_bits is {}: {}", in_weight, weight.num_bits, *reason);
  }
  if (weight.channel_wise.value_or(false) && (reason = WhyNotChannelWise(layer.type))) {
    return InvalidInput("{}: channel_wise is true: {}", in_weight, *reason);
  }
  if (weight.ada.has_value() && (reason = WhyNotAdaRound(layer.type))) {
    return InvalidInput("{}: wts_algo is ada_quantize: {}", in_weight, *reason);
  }
  return OkStatus();
}

LayerSettings MakeSettings(const PtqLayerConfig& config, const LayerDescription& layer,
                           bool activation_offset, std::vector<std::string>& notes) {
  LayerSettings settings;
  settings.name = layer.name;
  settings.type = layer.type;
  settings.dmq_balancer_param = config.dmq_balancer_param;
  settings.activation_bits = static_cast<int>(config.activation.num_bits);
  settings.with_offset = config.activation.asymmetric.value_or(activation_offset) &&
                         !WhyNotAsymmetric(layer.type).has_value();
  settings.algorithm = config.activation.algorithm;
  const WeightConfig weight = config.weight.value_or(WeightConfig());
  settings.weight_bits = static_cast<int>(weight.num_bits);
  settings.ada = weight.ada;
  if (weight.num_bits == 4) {
    if (const Reason reason = WhyNotInt4Weights(layer)) {
      notes.push_back(fmt::format("layer {}: {}; 8 bits are used", Quoted(layer.name), *reason));
      settings.weight_bits = 8;
    }
  }
  if (weight.ada && settings.weight_bits != 8) {
    notes.push_back(fmt::format("layer {}: ada_quantize rounds to 8 bits; num_bits {} is not used",
                                Quoted(layer.name), settings.weight_bits));
    settings.weight_bits = 8;
  }
  if (IsAlwaysChannelWise(layer.type) && !weight.channel_wise.value_or(true)) {
    notes.push_back(fmt::format(
        "layer {}: the gates of LSTM and GRU are always scaled one by one; channel_wise is true",
        Quoted(layer.name)));
  }
  settings.channel_wise = IsAlwaysChannelWise(layer.type) ||
                          weight.channel_wise.value_or(!WhyNotChannelWise(layer.type).has_value());
  return settings;
}

}  // namespace

StatusOr<QuantSettings> ResolveQuantSettings(const PtqConfig& config,
                                             const NetworkDescription& network) {
  LATHE_RETURN_IF_ERROR(CheckBatchNum(config.batch_num));
  LATHE_ASSIGN_OR_RETURN(const LayerIndex index, LayerIndex::Create(network));
  LATHE_RETURN_IF_ERROR(index.CheckSkipFusion(config.skip_fusion_layers));

  std::vector<const PtqLayerConfig*> by_position(network.layers.size(), nullptr);
  for (const PtqLayerConfig& layer : config.layers) {
    LATHE_ASSIGN_OR_RETURN(const size_t position, index.Find("configuration", layer.name));
    if (by_position[position] != nullptr) {
      return InvalidInput("configuration: {} is there twice", Quoted(layer.name));
    }
    by_position[position] = &layer;
    const std::string where = fmt::format("layer {}", Quoted(layer.name));
    LATHE_RETURN_IF_ERROR(CheckValues(layer, where));
    LATHE_RETURN_IF_ERROR(CheckAbility(layer, network.layers[position], where));
  }

  QuantSettings settings;
  settings.batch_num = config.batch_num;
  settings.joint_quant = config.joint_quant;
  settings.do_fusion = config.do_fusion;
  settings.force_fp16_quant = config.force_fp16_quant;
  settings.skip_fusion_layers = config.skip_fusion_layers;
  for (size_t i = 0; i < by_position.size(); ++i) {
    if (by_position[i] == nullptr || !by_position[i]->quant_enable) continue;
    settings.layers.push_back(
        MakeSettings(*by_position[i], network.layers[i], config.activation_offset, settings.notes));
  }
  LATHE_RETURN_IF_ERROR(CheckTensorQuantize(config.tensor_quantize, network));
  for (const TensorQuantizeConfig& tensor : config.tensor_quantize) {
    settings.tensors.push_back(
        {.key = TensorKey(tensor.layer_name, tensor.input_index),
         .with_offset = tensor.activation.asymmetric.value_or(config.activation_offset),
         .algorithm = tensor.activation.algorithm});
  }
  if (settings.layers.empty()) {
    return InvalidInput("no layer of the configuration has quant_enable true: nothing to quantise");
  }
  return settings;
}

}  // namespace lathe::quant
