#include "lathe/quant/config/retrain_settings.h"

#include "lathe/quant/config/layer_index.h"
#include "lathe/quant/config/layer_rules.h"
#include "lathe/quant/config/retrain_rules.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

Status CheckLayer(const RetrainLayerConfig& config, const LayerDescription& layer) {
  const std::string where = fmt::format("layer {}", Quoted(layer.name));
  const std::string in_data = where + ", retrain_data_config";
  const std::string in_weight = where + ", retrain_weight_config";
  LATHE_RETURN_IF_ERROR(CheckRetrainData(in_data, config.data));
  LATHE_RETURN_IF_ERROR(CheckRetrainWeight(in_weight, config.weight));
  LATHE_RETURN_IF_ERROR(CheckRetrainPair(where, config.data.num_bits, config.weight.num_bits));
  Reason reason;
  if (config.data.num_bits == 16 && (reason = WhyNotInt16(layer))) {
    return InvalidInput("{}: dst_type is INT16: {}", in_data, *reason);
  }
  if (config.data.num_bits == 4 && (reason = WhyNotInt4Activations(layer.type))) {
    return InvalidInput("{}: dst_type is INT4: {}", in_data, *reason);
  }
  if (config.weight.channel_wise.value_or(false) && (reason = WhyNotChannelWise(layer.type))) {
    return InvalidInput("{}: channel_wise is true: {}", in_weight, *reason);
  }
  // With 4-bit activations there is no 8-bit weight to fall back to.
  if (config.data.num_bits == 4 && (reason = WhyNotInt4Weights(layer))) {
    return InvalidInput("{}: dst_type is INT4: {}", in_weight, *reason);
  }
  return OkStatus();
}

RetrainLayerSettings MakeSettings(const RetrainLayerConfig& config, const LayerDescription& layer,
                                  std::vector<std::string>& notes) {
  RetrainLayerSettings settings;
  settings.name = layer.name;
  settings.type = layer.type;
  settings.activation_bits = static_cast<int>(config.data.num_bits);
  settings.clips = config.data.clips;
  settings.fixed_min = config.data.fixed_min;
  settings.weight_bits = static_cast<int>(config.weight.num_bits);
  settings.ulq = config.weight.ulq;
  if (config.weight.num_bits == 4) {
    if (const Reason reason = WhyNotInt4Weights(layer)) {
      notes.push_back(fmt::format("layer {}: {}; 8 bits are used", Quoted(layer.name), *reason));
      settings.weight_bits = 8;
    }
  }
  const std::optional<bool>& channel_wise = config.weight.channel_wise;
  if (IsAlwaysChannelWise(layer.type) && !channel_wise.value_or(true)) {
    notes.push_back(fmt::format(
        "layer {}: the gates of LSTM and GRU are always scaled one by one; channel_wise is true",
        Quoted(layer.name)));
  }
  settings.channel_wise = IsAlwaysChannelWise(layer.type) ||
                          channel_wise.value_or(!WhyNotChannelWise(layer.type).has_value());
  return settings;
}

}  // namespace

StatusOr<RetrainSettings> ResolveRetrainSettings(const RetrainConfig& config,
                                                 const NetworkDescription& network) {
  LATHE_RETURN_IF_ERROR(CheckBatchNum(config.batch_num));
  const NetworkDescription trainable = TrainableNetwork(network);
  LATHE_ASSIGN_OR_RETURN(const LayerIndex index, LayerIndex::Create(trainable));
  std::vector<const RetrainLayerConfig*> by_position(trainable.layers.size(), nullptr);
  for (const RetrainLayerConfig& layer : config.layers) {
    LATHE_ASSIGN_OR_RETURN(const size_t position, index.Find("configuration", layer.name));
    if (by_position[position] != nullptr) {
      return InvalidInput("configuration: {} is there twice", Quoted(layer.name));
    }
    by_position[position] = &layer;
    LATHE_RETURN_IF_ERROR(CheckLayer(layer, trainable.layers[position]));
  }
  RetrainSettings settings;
  settings.batch_num = config.batch_num;
  settings.force_fp16_quant = config.force_fp16_quant;
  for (size_t i = 0; i < by_position.size(); ++i) {
    if (by_position[i] == nullptr || !by_position[i]->retrain_enable) continue;
    settings.layers.push_back(MakeSettings(*by_position[i], trainable.layers[i], settings.notes));
  }
  if (settings.layers.empty()) {
    return InvalidInput("no layer of the configuration has retrain_enable true: nothing to train");
  }
  return settings;
}

}  // namespace lathe::quant
