#include "lathe/quant/config/prune_settings.h"

#include <algorithm>

#include "lathe/quant/config/layer_choice.h"
#include "lathe/support/decimal_text.h"
#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

// Longer groups would be no pattern that hardware reads.
constexpr int64_t kLargestGroup = 1024;

Status CheckMethod(std::string_view where, const PruneMethod& method) {
  if (const auto* filter = std::get_if<FilterPruneConfig>(&method)) {
    if (filter->ratio > 0 && filter->ratio < 1) return OkStatus();
    return InvalidInput("{}: prune_ratio is {}, it must be above 0 and below 1", where,
                        DecimalText(filter->ratio));
  }
  const auto& selective = std::get<SelectivePruneConfig>(method);
  if (selective.group < 2 || selective.group > kLargestGroup) {
    return InvalidInput("{}: m is {}, it must be from 2 to {}", where, selective.group,
                        kLargestGroup);
  }
  if (selective.pruned < 1 || selective.pruned >= selective.group) {
    return InvalidInput("{}: n is {}, it must be above 0 and below m, which is {}", where,
                        selective.pruned, selective.group);
  }
  return OkStatus();
}

StatusOr<std::vector<std::string>> CheckOverrides(std::string_view list,
                                                  const std::vector<PruneOverride>& overrides) {
  std::vector<std::string> targets;
  targets.reserve(overrides.size());
  for (const PruneOverride& entry : overrides) {
    LATHE_RETURN_IF_ERROR(
        CheckMethod(OverrideText(list, entry.target) + ", prune_config", entry.method));
    targets.push_back(entry.target);
  }
  return targets;
}

Reason WhyNot(const PruneMethod& method, LayerType type) {
  return std::holds_alternative<FilterPruneConfig>(method) ? WhyNotFilterPrune(type)
                                                           : WhyNotSelectivePrune(type);
}

// Layers that only a configuration after training may name are none here.
NetworkDescription PrunableNetwork(NetworkDescription network) {
  std::erase_if(network.layers, [&](LayerDescription& layer) {
    if (layer.on_request.empty()) return false;
    network.others.push_back(
        {std::move(layer.name), std::string(ToString(layer.type)), std::move(layer.on_request)});
    return true;
  });
  return network;
}

class Resolver {
 public:
  Resolver(const AmctPruneConfig& config, const NetworkDescription& network)
      : config_(config), network_(PrunableNetwork(network)) {}

  StatusOr<PruneSettings> Run() {
    if (config_.method.has_value()) {
      LATHE_RETURN_IF_ERROR(CheckMethod("prune_config", *config_.method));
    }
    LATHE_ASSIGN_OR_RETURN(const LayerIndex index, LayerIndex::Create(network_));
    LATHE_ASSIGN_OR_RETURN(const auto types,
                           CheckOverrides(kOverrideTypes, config_.override_layer_types));
    LATHE_ASSIGN_OR_RETURN(const auto names,
                           CheckOverrides(kOverrideLayers, config_.override_layer_configs));
    LATHE_ASSIGN_OR_RETURN(const auto chosen, ChooseOverrides(network_, index, types, names,
                                                              AbsentType::kWithoutEffect));
    LATHE_ASSIGN_OR_RETURN(const std::vector<bool> skipped, Skipped(index));
    PruneSettings settings;
    for (size_t i = 0; i < network_.layers.size(); ++i) {
      const LayerDescription& layer = network_.layers[i];
      const PruneMethod* method = MethodOf(chosen[i]);
      if (method == nullptr) continue;
      if (const Reason reason = WhyNot(*method, layer.type)) {
        if (!chosen[i].has_value()) continue;
        return InvalidInput("{}, prune_config: layer {}: {}", chosen[i]->where, Quoted(layer.name),
                            *reason);
      }
      if (skipped[i]) {
        if (chosen[i].has_value() && chosen[i]->by_name) {
          settings.notes.push_back(fmt::format("layer {} is skipped: {} has no effect on pruning",
                                               Quoted(layer.name), chosen[i]->where));
        }
        continue;
      }
      settings.layers.push_back({layer.name, layer.type, *method});
    }
    if (settings.layers.empty()) {
      return InvalidInput(
          "no layer of the model is to be pruned: every layer that can be is "
          "skipped, or there is none");
    }
    return settings;
  }

 private:
  StatusOr<std::vector<bool>> Skipped(const LayerIndex& index) const {
    std::vector<bool> skipped(network_.layers.size());
    LATHE_RETURN_IF_ERROR(SkipLayers(index, "skip_layers", config_.skip_layers, skipped));
    LATHE_RETURN_IF_ERROR(
        SkipLayers(index, "regular_prune_skip_layers", config_.regular_prune_skip_layers, skipped));
    LATHE_RETURN_IF_ERROR(SkipTypes(index, "skip_layer_types", config_.skip_layer_types,
                                    AbsentType::kWithoutEffect, skipped));
    LATHE_RETURN_IF_ERROR(SkipTypes(index, "regular_prune_skip_types",
                                    config_.regular_prune_skip_types, AbsentType::kWithoutEffect,
                                    skipped));
    return skipped;
  }

  // Null: the layer is not to be pruned.
  const PruneMethod* MethodOf(const std::optional<ChosenOverride>& source) const {
    if (!source.has_value()) return config_.method.has_value() ? &*config_.method : nullptr;
    const auto& list =
        source->by_name ? config_.override_layer_configs : config_.override_layer_types;
    return &list[source->position].method;
  }

  const AmctPruneConfig& config_;
  NetworkDescription network_;
};

}  // namespace

Reason WhyNotFilterPrune(LayerType type) {
  if (type == LayerType::kConv2d || type == LayerType::kLinear) return std::nullopt;
  return fmt::format("{} cannot lose output channels, Conv2d and Linear can", ToString(type));
}

Reason WhyNotSelectivePrune(LayerType type) {
  if (type == LayerType::kConv2d || type == LayerType::kLinear ||
      type == LayerType::kConvTranspose2d) {
    return std::nullopt;
  }
  return fmt::format("{} cannot lose single weights, Conv2d, ConvTranspose2d and Linear can",
                     ToString(type));
}

bool PruneSettings::has_filters() const {
  return std::ranges::any_of(layers, [](const PruneLayerSettings& layer) {
    return std::holds_alternative<FilterPruneConfig>(layer.method);
  });
}

bool PruneSettings::has_selective() const {
  return std::ranges::any_of(layers, [](const PruneLayerSettings& layer) {
    return std::holds_alternative<SelectivePruneConfig>(layer.method);
  });
}

StatusOr<PruneSettings> ResolvePruneSettings(const AmctPruneConfig& config,
                                             const NetworkDescription& network) {
  return Resolver(config, network).Run();
}

}  // namespace lathe::quant
