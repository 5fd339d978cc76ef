// The configuration of quantisation-aware training, value for value what its JSON file holds (the
// reference's 2.3). Floats are the doubles that the file's decimals mean.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::quant {

// The range that an activation is clipped to when training starts.
struct ClipRange {
  double max = 0;  // above 0
  double min = 0;  // below 0
  bool operator==(const ClipRange&) const = default;
};

// ULQ: the clips are learned.
struct RetrainDataConfig {
  // Absent: found by IFMR on the first batches.
  std::optional<ClipRange> clips;
  // clip_min stays 0. Absent: where the activation comes from a Relu.
  std::optional<bool> fixed_min;
  // dst_type: 4, 8 or 16.
  int64_t num_bits = 8;
  bool operator==(const RetrainDataConfig&) const = default;
};

struct RetrainWeightConfig {
  // ulq_retrain: scales are learned; else arq_retrain: they follow the weight's range.
  bool ulq = false;
  // Absent: one scale a channel where the layer's type can.
  std::optional<bool> channel_wise;
  // dst_type: 4 or 8.
  int64_t num_bits = 8;
  bool operator==(const RetrainWeightConfig&) const = default;
};

struct RetrainLayerConfig {
  std::string name;
  bool retrain_enable = true;
  RetrainDataConfig data;
  RetrainWeightConfig weight;
  bool operator==(const RetrainLayerConfig&) const = default;
};

struct RetrainConfig {
  int64_t version = 1;
  // fakequant_precision_mode is FORCE_FP16_QUANT, not DEFAULT.
  bool force_fp16_quant = false;
  int64_t batch_num = 1;
  // In the order of the file: that of the model.
  std::vector<RetrainLayerConfig> layers;
  bool operator==(const RetrainConfig&) const = default;
};

// The keys beside the layers, in the order of the file. A layer cannot have one of these names.
std::span<const std::string_view> RetrainGlobalKeys();
bool IsRetrainGlobalKey(std::string_view name);

}  // namespace lathe::quant
