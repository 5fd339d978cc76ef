// What pruning does with each layer: a configuration applied to a network.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/layer_rules.h"
#include "lathe/quant/config/prune_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// Why layers of the type cannot lose output channels (the reference's table of layer types: Conv2d
// and Linear can), as a clause; nullopt: they can.
Reason WhyNotFilterPrune(LayerType type);
// Why not single weights (Conv2d, Linear and ConvTranspose2d can).
Reason WhyNotSelectivePrune(LayerType type);

struct PruneLayerSettings {
  std::string name;
  LayerType type = LayerType::kConv2d;
  PruneMethod method;
  bool operator==(const PruneLayerSettings&) const = default;
};

struct PruneSettings {
  // The layers to prune, in graph order.
  std::vector<PruneLayerSettings> layers;
  // One sentence for each rule that has no effect.
  std::vector<std::string> notes;

  // Of one kind.
  bool has_filters() const;
  bool has_selective() const;
};

// The reference's 2.3: each layer takes the override of its name, else of its type, else the global
// method; a layer that is skipped is not pruned, whatever an override says. A layer that cannot do
// what the global method asks is left alone. Errors: a ratio that is not above 0 and below 1; a
// pattern that is none; rules that name nothing or are there twice; an override for a layer that
// cannot do it; no layer left to prune.
StatusOr<PruneSettings> ResolvePruneSettings(const AmctPruneConfig& config,
                                             const NetworkDescription& network);

}  // namespace lathe::quant
