// The pruning half of a simplified configuration (.cfg) as plain values (the reference's message
// PruneConfig and its neighbours in AMCTRetrainConfig).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/quant/config/amct_retrain_config.h"

namespace lathe::quant {

// balanced_l2_norm_filter_prune: whole output channels go.
struct FilterPruneConfig {
  // The part of the channels that goes; above 0, below 1.
  double ratio = 0;
  // As many channels stay as a multiple of 16.
  bool ascend_optimized = true;
  bool operator==(const FilterPruneConfig&) const = default;
};

// l1_selective_prune: of every `group` weights along the input channels, `pruned` become zero.
// M4N2, the reference's only pattern, is 4 and 2.
struct SelectivePruneConfig {
  int64_t group = 4;
  int64_t pruned = 2;
  // Training chooses anew every so many forward passes; 0: once.
  int64_t update_freq = 0;
  bool operator==(const SelectivePruneConfig&) const = default;
};

using PruneMethod = std::variant<FilterPruneConfig, SelectivePruneConfig>;

struct PruneOverride {
  std::string target;  // A layer type or a layer name.
  PruneMethod method;
  bool operator==(const PruneOverride&) const = default;
};

struct AmctPruneConfig {
  // prune_config; absent: only overrides prune.
  std::optional<PruneMethod> method;
  std::vector<std::string> skip_layers;
  std::vector<std::string> skip_layer_types;
  std::vector<std::string> regular_prune_skip_layers;
  std::vector<std::string> regular_prune_skip_types;
  // Overrides that say nothing about pruning are not listed: they leave it as it is.
  std::vector<PruneOverride> override_layer_types;
  std::vector<PruneOverride> override_layer_configs;
  bool operator==(const AmctPruneConfig&) const = default;
};

// A configuration that may ask for both. The halves that appear in the text are there.
struct AmctCompressConfig {
  std::optional<AmctPruneConfig> prune;
  std::optional<AmctRetrainConfig> quant;
  bool operator==(const AmctCompressConfig&) const = default;
};

}  // namespace lathe::quant
