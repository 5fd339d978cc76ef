#include "lathe/quant/config/create_ptq_config.h"

#include <algorithm>
#include <utility>

#include <absl/container/flat_hash_set.h>

#include "lathe/quant/config/layer_choice.h"
#include "lathe/quant/config/layer_index.h"
#include "lathe/quant/config/layer_rules.h"
#include "lathe/quant/config/tensor_quantize.h"
#include "lathe/quant/config/value_rules.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

constexpr std::string_view kCommon = "common_config";
constexpr std::string_view kFullyConnected = "fc_calibration_config";

Status CheckChoice(std::string_view where, const CalibrationChoice& choice) {
  if (choice.activation.has_value()) {
    LATHE_RETURN_IF_ERROR(CheckActivationValues(where, *choice.activation));
  }
  WeightConfig weight;
  if (const auto* arq = std::get_if<ArqOptions>(&choice.weight)) {
    weight.num_bits = arq->quant_bits.value_or(weight.num_bits);
  } else if (const auto* ada = std::get_if<AdaOptions>(&choice.weight)) {
    weight.ada = ada->parameters;
  }
  LATHE_RETURN_IF_ERROR(CheckWeightValues(where, weight));
  if (choice.dmq_balancer_param.has_value()) {
    LATHE_RETURN_IF_ERROR(CheckBalancing(where, *choice.dmq_balancer_param));
  }
  return OkStatus();
}

bool SameAlgorithm(const ActivationConfig& a, const ActivationConfig& b) {
  return a.algorithm.index() == b.algorithm.index();
}

// What one layer is told to do, and who told it.
struct Source {
  const CalibrationChoice* choice = nullptr;
  std::string where;
  bool is_override = false;
};

class Creator {
 public:
  Creator(const NetworkDescription& network, const AmctConfig& simplified)
      : network_(network), simplified_(simplified), layers_(network.layers.size()) {}

  StatusOr<CreatedPtqConfig> Run() {
    LATHE_RETURN_IF_ERROR(TakeLayers());
    LATHE_RETURN_IF_ERROR(CheckBatchNum(simplified_.batch_num));
    LATHE_ASSIGN_OR_RETURN(const LayerIndex index, LayerIndex::Create(network_));
    LATHE_RETURN_IF_ERROR(ApplySkips(index));
    LATHE_RETURN_IF_ERROR(index.CheckSkipFusion(simplified_.skip_fusion_layers));
    LATHE_RETURN_IF_ERROR(ChooseSources(index));

    PtqConfig& config = result_.config;
    config.batch_num = simplified_.batch_num;
    config.activation_offset = simplified_.activation_offset;
    config.joint_quant = simplified_.joint_quant;
    config.do_fusion = simplified_.do_fusion;
    config.force_fp16_quant = simplified_.force_fp16_quant;
    config.skip_fusion_layers = simplified_.skip_fusion_layers;
    for (size_t i = 0; i < network_.layers.size(); ++i) {
      if (!layers_[i].taken) continue;
      LATHE_ASSIGN_OR_RETURN(PtqLayerConfig layer,
                             MakeLayer(network_.layers[i], layers_[i].source));
      layer.quant_enable = !layers_[i].skipped;
      config.layers.push_back(std::move(layer));
    }
    config.tensor_quantize = simplified_.tensor_quantize;
    for (TensorQuantizeConfig& tensor : config.tensor_quantize) FillAsymmetric(tensor.activation);
    LATHE_RETURN_IF_ERROR(CheckTensorQuantize(config.tensor_quantize, network_));
    std::sort(config.layers.begin(), config.layers.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return std::move(result_);
  }

 private:
  struct LayerPlan {
    // Is in the configuration at all.
    bool taken = false;
    bool skipped = false;
    Source source;
  };

  // All layers but those that must be named and are not.
  Status TakeLayers() {
    absl::flat_hash_set<std::string_view> named;
    for (const CalibrationOverride& entry : simplified_.override_layer_configs) {
      named.insert(entry.target);
    }
    const LayerDescription* unnamed = nullptr;
    bool any = false;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const LayerDescription& layer = network_.layers[i];
      layers_[i].taken = layer.on_request.empty() || named.contains(layer.name);
      any |= layers_[i].taken;
      if (!layers_[i].taken) {
        if (unnamed == nullptr) unnamed = &layer;
      } else if (IsPtqGlobalKey(layer.name)) {
        return InvalidInput("layer {} has the name of a global key of the configuration: rename it",
                            Quoted(layer.name));
      }
    }
    if (any) return OkStatus();
    Status status = InvalidInput("the model has no layer that can be quantised");
    if (unnamed == nullptr) return status;
    return WithContext(std::move(status), ErrorContext::kHint,
                       fmt::format("{}: {}; {} that names it quantises it", Quoted(unnamed->name),
                                   unnamed->on_request, kOverrideLayers));
  }

  Status ApplySkips(const LayerIndex& index) {
    std::vector<bool> skipped(layers_.size());
    LATHE_RETURN_IF_ERROR(SkipLayers(index, "skip_layers", simplified_.skip_layers, skipped));
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (!skipped[i] || layers_[i].taken) continue;
      const LayerDescription& layer = network_.layers[i];
      return InvalidInput("skip_layers: {} of type {} is left out anyway: {}", Quoted(layer.name),
                          ToString(layer.type), layer.on_request);
    }
    LATHE_RETURN_IF_ERROR(SkipTypes(index, "skip_layer_types", simplified_.skip_layer_types,
                                    AbsentType::kRefused, skipped));
    for (size_t i = 0; i < layers_.size(); ++i) layers_[i].skipped = skipped[i];
    if (std::all_of(layers_.begin(), layers_.end(),
                    [](const auto& l) { return l.skipped || !l.taken; })) {
      return InvalidInput("every layer that can be quantised is skipped: nothing is left to do");
    }
    return OkStatus();
  }

  // Checks the values of a list of overrides, and returns its targets.
  static StatusOr<std::vector<std::string>> CheckOverrides(
      std::string_view list, const std::vector<CalibrationOverride>& overrides) {
    std::vector<std::string> targets;
    targets.reserve(overrides.size());
    for (const CalibrationOverride& entry : overrides) {
      LATHE_RETURN_IF_ERROR(CheckChoice(OverrideText(list, entry.target), entry.choice));
      targets.push_back(entry.target);
    }
    return targets;
  }

  // From the weakest rule to the strongest: a later one replaces an earlier one.
  Status ChooseSources(const LayerIndex& index) {
    if (simplified_.common_config.has_value()) {
      LATHE_RETURN_IF_ERROR(CheckChoice(kCommon, *simplified_.common_config));
      for (LayerPlan& plan : layers_) {
        plan.source = {&*simplified_.common_config, std::string(kCommon), false};
      }
    }
    if (simplified_.fc_calibration_config.has_value()) {
      const CalibrationChoice& choice = *simplified_.fc_calibration_config;
      LATHE_RETURN_IF_ERROR(CheckChoice(kFullyConnected, choice));
      if (const auto* arq = std::get_if<ArqOptions>(&choice.weight);
          arq != nullptr && arq->channel_wise.value_or(false)) {
        return InvalidInput(
            "{}: channel_wise cannot be true, it is for layers with one weight scale",
            kFullyConnected);
      }
      for (size_t i = 0; i < layers_.size(); ++i) {
        if (!WhyNotChannelWise(network_.layers[i].type).has_value()) continue;
        layers_[i].source = {&choice, std::string(kFullyConnected), true};
      }
    }
    LATHE_ASSIGN_OR_RETURN(const auto types,
                           CheckOverrides(kOverrideTypes, simplified_.override_layer_types));
    LATHE_ASSIGN_OR_RETURN(const auto names,
                           CheckOverrides(kOverrideLayers, simplified_.override_layer_configs));
    LATHE_ASSIGN_OR_RETURN(const auto chosen,
                           ChooseOverrides(network_, index, types, names, AbsentType::kRefused));
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (!chosen[i].has_value()) continue;
      const auto& list = chosen[i]->by_name ? simplified_.override_layer_configs
                                            : simplified_.override_layer_types;
      layers_[i].source = {&list[chosen[i]->position].choice, chosen[i]->where, true};
    }
    return OkStatus();
  }

  // `layer` cannot do what `source` asks: an error, or a note on what it does instead.
  Status Refuse(const LayerDescription& layer, const Source& source, std::string_view reason,
                std::string_view instead) {
    if (source.is_override) {
      return InvalidInput("{}: layer {}: {}", source.where, Quoted(layer.name), reason);
    }
    Note(layer, source, reason, instead);
    return OkStatus();
  }

  void Note(const LayerDescription& layer, const Source& source, std::string_view reason,
            std::string_view instead) {
    result_.notes.push_back(
        fmt::format("{}: layer {}: {}; {}", source.where, Quoted(layer.name), reason, instead));
  }

  StatusOr<PtqLayerConfig> MakeLayer(const LayerDescription& layer, const Source& source) {
    static const CalibrationChoice kNothing;
    const CalibrationChoice& choice = source.choice == nullptr ? kNothing : *source.choice;
    PtqLayerConfig result;
    result.name = layer.name;
    if (choice.dmq_balancer_param.has_value()) {
      if (const Reason reason = WhyNotBalancing(layer.type)) {
        LATHE_RETURN_IF_ERROR(Refuse(layer, source, *reason, "it is not"));
      } else {
        result.dmq_balancer_param = choice.dmq_balancer_param;
      }
    }
    LATHE_ASSIGN_OR_RETURN(result.activation, MakeActivation(layer, source, choice));
    LATHE_ASSIGN_OR_RETURN(result.weight, MakeWeight(layer, source, choice));
    return result;
  }

  // What is not said is what common_config says for the same algorithm, else activation_offset.
  void FillAsymmetric(ActivationConfig& activation) const {
    if (activation.asymmetric.has_value()) return;
    const auto& common = simplified_.common_config;
    const bool inherits = common.has_value() && common->activation.has_value() &&
                          common->activation->asymmetric.has_value() &&
                          SameAlgorithm(*common->activation, activation);
    activation.asymmetric =
        inherits ? *common->activation->asymmetric : simplified_.activation_offset;
  }

  StatusOr<ActivationConfig> MakeActivation(const LayerDescription& layer, const Source& source,
                                            const CalibrationChoice& choice) {
    ActivationConfig activation = choice.activation.value_or(ActivationConfig());
    if (activation.num_bits == 16) {
      if (const Reason reason = WhyNotInt16(layer)) {
        LATHE_RETURN_IF_ERROR(Refuse(layer, source, *reason, "8 bits are used"));
        activation.num_bits = 8;
      }
    }
    if (!activation.asymmetric.has_value()) {
      // Not asked for: forced to false below without a word.
      FillAsymmetric(activation);
    } else if (*activation.asymmetric) {
      if (const Reason reason = WhyNotAsymmetric(layer.type)) {
        LATHE_RETURN_IF_ERROR(Refuse(layer, source, *reason, "its activation is symmetric"));
      }
    }
    if (WhyNotAsymmetric(layer.type).has_value()) activation.asymmetric = false;
    return activation;
  }

  // Nothing when the layer's weight_quant_params are left out.
  StatusOr<std::optional<WeightConfig>> MakeWeight(const LayerDescription& layer,
                                                   const Source& source,
                                                   const CalibrationChoice& choice) {
    WeightConfig weight;
    if (const auto* arq = std::get_if<ArqOptions>(&choice.weight)) {
      weight.channel_wise = arq->channel_wise;
      weight.num_bits = arq->quant_bits.value_or(weight.num_bits);
    } else if (const auto* ada = std::get_if<AdaOptions>(&choice.weight)) {
      if (const Reason reason = WhyNotAdaRound(layer.type)) {
        LATHE_RETURN_IF_ERROR(Refuse(layer, source, *reason, "arq_quantize is used"));
        return std::optional<WeightConfig>();
      }
      weight.ada = ada->parameters;
      weight.channel_wise = ada->channel_wise;
    }
    if (weight.num_bits == 6 || weight.num_bits == 7) {
      if (const Reason reason = WhyNotInt6Weights(layer.type)) {
        LATHE_RETURN_IF_ERROR(Refuse(layer, source, *reason, "8 bits are used"));
        weight.num_bits = 8;
      }
    } else if (weight.num_bits == 4) {
      if (const Reason reason = WhyNotInt4Weights(layer)) {
        Note(layer, source, *reason, "8 bits are used");
        weight.num_bits = 8;
      }
    }
    const Reason reason = WhyNotChannelWise(layer.type);
    if (weight.channel_wise.value_or(false) && reason.has_value()) {
      LATHE_RETURN_IF_ERROR(
          Refuse(layer, source, "channel_wise cannot be true, " + *reason, "it is false"));
    }
    if (IsAlwaysChannelWise(layer.type) && !weight.channel_wise.value_or(true)) {
      Note(layer, source, "the gates of LSTM and GRU are always scaled one by one",
           "channel_wise is true");
    }
    const bool wanted = weight.channel_wise.value_or(true) || IsAlwaysChannelWise(layer.type);
    weight.channel_wise = wanted && !reason.has_value();
    return std::optional<WeightConfig>(weight);
  }

  const NetworkDescription& network_;
  const AmctConfig& simplified_;
  std::vector<LayerPlan> layers_;
  CreatedPtqConfig result_;
};

}  // namespace

StatusOr<CreatedPtqConfig> CreatePtqConfig(const NetworkDescription& network,
                                           const PtqOptions& options) {
  AmctConfig simplified;
  simplified.skip_layers = options.skip_layers;
  simplified.batch_num = options.batch_num;
  simplified.activation_offset = options.activation_offset;
  return CreatePtqConfig(network, simplified);
}

StatusOr<CreatedPtqConfig> CreatePtqConfig(const NetworkDescription& network,
                                           const AmctConfig& simplified) {
  return Creator(network, simplified).Run();
}

}  // namespace lathe::quant
