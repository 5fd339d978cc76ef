#include "lathe/quant/config/create_retrain_config.h"

#include <algorithm>
#include <utility>

#include "lathe/quant/config/layer_choice.h"
#include "lathe/quant/config/layer_rules.h"
#include "lathe/quant/config/retrain_rules.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

constexpr std::string_view kData = "retrain_data_quant_config";
constexpr std::string_view kWeight = "retrain_weight_quant_config";

Status CheckHalves(const std::string& prefix, const RetrainDataConfig& data,
                   const RetrainWeightConfig& weight) {
  const std::string where = prefix + std::string(kData);
  LATHE_RETURN_IF_ERROR(CheckRetrainData(where, data));
  if (data.num_bits == 4) {
    return InvalidInput("{}: dst_type is INT4, a simplified configuration may ask for INT8, INT16",
                        where);
  }
  return CheckRetrainWeight(prefix + std::string(kWeight), weight);
}

// Checks the values of a list of overrides, and returns its targets.
StatusOr<std::vector<std::string>> CheckOverrides(std::string_view list,
                                                  const std::vector<RetrainOverride>& overrides) {
  std::vector<std::string> targets;
  targets.reserve(overrides.size());
  for (const RetrainOverride& entry : overrides) {
    LATHE_RETURN_IF_ERROR(
        CheckHalves(OverrideText(list, entry.target) + ", ", entry.data, entry.weight));
    targets.push_back(entry.target);
  }
  return targets;
}

class Creator {
 public:
  Creator(const NetworkDescription& network, const AmctRetrainConfig& simplified)
      : network_(TrainableNetwork(network)), simplified_(simplified) {}

  StatusOr<CreatedRetrainConfig> Run() {
    if (network_.layers.empty()) return InvalidInput("the model has no layer that can be trained");
    for (const LayerDescription& layer : network_.layers) {
      if (IsRetrainGlobalKey(layer.name)) {
        return InvalidInput("layer {} has the name of a global key of the configuration: rename it",
                            Quoted(layer.name));
      }
    }
    LATHE_RETURN_IF_ERROR(CheckBatchNum(simplified_.batch_num));
    LATHE_RETURN_IF_ERROR(CheckHalves("", simplified_.data, simplified_.weight));
    LATHE_ASSIGN_OR_RETURN(const LayerIndex index, LayerIndex::Create(network_));
    LATHE_ASSIGN_OR_RETURN(const std::vector<bool> skipped, Skipped(index));
    LATHE_ASSIGN_OR_RETURN(const auto types,
                           CheckOverrides(kOverrideTypes, simplified_.override_layer_types));
    LATHE_ASSIGN_OR_RETURN(const auto names,
                           CheckOverrides(kOverrideLayers, simplified_.override_layer_configs));
    LATHE_ASSIGN_OR_RETURN(const auto chosen, ChooseOverrides(network_, index, types, names,
                                                              AbsentType::kWithoutEffect));

    NoteAbsentTypes(index, "skip_layer_types", simplified_.skip_layer_types);
    NoteAbsentTypes(index, "quant_skip_types", simplified_.quant_skip_types);
    NoteAbsentTypes(index, kOverrideTypes, types);
    RetrainConfig& config = result_.config;
    config.batch_num = simplified_.batch_num;
    config.force_fp16_quant = simplified_.force_fp16_quant;
    bool enabled = false;
    for (size_t i = 0; i < network_.layers.size(); ++i) {
      LATHE_ASSIGN_OR_RETURN(RetrainLayerConfig layer, MakeLayer(network_.layers[i], chosen[i]));
      layer.retrain_enable = chosen[i].has_value() || (!simplified_.only_overrides && !skipped[i]);
      enabled |= layer.retrain_enable;
      config.layers.push_back(std::move(layer));
    }
    if (!enabled) {
      return InvalidInput("every layer that can be trained is skipped: nothing is left to do");
    }
    return std::move(result_);
  }

 private:
  StatusOr<std::vector<bool>> Skipped(const LayerIndex& index) const {
    std::vector<bool> skipped(network_.layers.size());
    LATHE_RETURN_IF_ERROR(SkipLayers(index, "skip_layers", simplified_.skip_layers, skipped));
    LATHE_RETURN_IF_ERROR(
        SkipLayers(index, "quant_skip_layers", simplified_.quant_skip_layers, skipped));
    LATHE_RETURN_IF_ERROR(SkipTypes(index, "skip_layer_types", simplified_.skip_layer_types,
                                    AbsentType::kWithoutEffect, skipped));
    LATHE_RETURN_IF_ERROR(SkipTypes(index, "quant_skip_types", simplified_.quant_skip_types,
                                    AbsentType::kWithoutEffect, skipped));
    return skipped;
  }

  // The types are known ones.
  void NoteAbsentTypes(const LayerIndex& index, std::string_view where,
                       const std::vector<std::string>& types) {
    for (const std::string& type : types) {
      const Status found = index.FindType(where, type).status();
      if (!found.ok()) {
        result_.notes.push_back(fmt::format("{}; it has no effect", FormatError(found)));
      }
    }
  }

  void Note(std::string_view where, const LayerDescription& layer, std::string_view reason,
            std::string_view instead) {
    result_.notes.push_back(
        fmt::format("{}: layer {}: {}; {}", where, Quoted(layer.name), reason, instead));
  }

  // `layer` cannot do what it is told: an error where an override says it, else a note on what it
  // does instead.
  Status Refuse(const std::optional<ChosenOverride>& source, std::string_view half,
                const LayerDescription& layer, std::string_view reason, std::string_view instead) {
    if (source.has_value()) {
      return InvalidInput("{}, {}: layer {}: {}", source->where, half, Quoted(layer.name), reason);
    }
    Note(half, layer, reason, instead);
    return OkStatus();
  }

  StatusOr<RetrainLayerConfig> MakeLayer(const LayerDescription& layer,
                                         const std::optional<ChosenOverride>& source) {
    RetrainLayerConfig result{layer.name, true, simplified_.data, simplified_.weight};
    std::string where(kWeight);
    if (source.has_value()) {
      const auto& list =
          source->by_name ? simplified_.override_layer_configs : simplified_.override_layer_types;
      result.data = list[source->position].data;
      result.weight = list[source->position].weight;
      where = source->where + ", " + where;
    }
    if (result.data.num_bits == 16) {
      if (const Reason reason = WhyNotInt16(layer)) {
        LATHE_RETURN_IF_ERROR(Refuse(source, kData, layer, *reason, "8 bits are used"));
        result.data.num_bits = 8;
      }
    }
    if (result.weight.num_bits == 4) {
      if (const Reason reason = WhyNotInt4Weights(layer)) {
        Note(where, layer, *reason, "8 bits are used");
        result.weight.num_bits = 8;
      }
    }
    const Reason one_scale = WhyNotChannelWise(layer.type);
    if (result.weight.channel_wise.value_or(false) && one_scale.has_value()) {
      LATHE_RETURN_IF_ERROR(Refuse(source, kWeight, layer,
                                   "channel_wise cannot be true, " + *one_scale, "it is false"));
    }
    if (IsAlwaysChannelWise(layer.type) && !result.weight.channel_wise.value_or(true)) {
      Note(where, layer, "the gates of LSTM and GRU are always scaled one by one",
           "channel_wise is true");
    }
    result.weight.channel_wise =
        IsAlwaysChannelWise(layer.type) ||
        (result.weight.channel_wise.value_or(true) && !one_scale.has_value());
    LATHE_RETURN_IF_ERROR(CheckRetrainPair(
        source.has_value() ? source->where : fmt::format("layer {}", Quoted(layer.name)),
        result.data.num_bits, result.weight.num_bits));
    return result;
  }

  NetworkDescription network_;
  const AmctRetrainConfig& simplified_;
  CreatedRetrainConfig result_;
};

}  // namespace

StatusOr<CreatedRetrainConfig> CreateRetrainConfig(const NetworkDescription& network,
                                                   const AmctRetrainConfig& simplified) {
  return Creator(network, simplified).Run();
}

}  // namespace lathe::quant
