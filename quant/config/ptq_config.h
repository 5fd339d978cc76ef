// The configuration of post-training quantisation, value for value what its JSON file holds (the
// reference's 2.1). Floats are the doubles that the file's decimals mean.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lathe::quant {

// Search of the activation's upper bound around a percentile.
struct IfmrParameters {
  double max_percentile = 0.999999;
  double min_percentile = 0.999999;
  // Factors on the upper bound: from, to.
  std::array<double, 2> search_range = {0.7, 1.3};
  double search_step = 0.01;
  bool operator==(const IfmrParameters&) const = default;
};

// Search over a histogram of the activation.
struct HfmgParameters {
  int64_t num_of_bins = 4096;
  bool operator==(const HfmgParameters&) const = default;
};

struct ActivationConfig {
  int64_t num_bits = 8;
  std::variant<IfmrParameters, HfmgParameters> algorithm;
  // Absent: as activation_offset says.
  std::optional<bool> asymmetric;
  bool operator==(const ActivationConfig&) const = default;
};

// AdaRound: learned rounding of weights.
struct AdaParameters {
  double reg_param = 0.01;
  double warm_start = 0.2;
  int64_t num_iteration = 10000;
  // From, to: falls during the iterations.
  std::array<double, 2> beta_range = {20.0, 2.0};
  bool operator==(const AdaParameters&) const = default;
};

struct WeightConfig {
  int64_t num_bits = 8;
  // Absent: one scale a channel where the layer's type can.
  std::optional<bool> channel_wise;
  // Absent: arq_quantize.
  std::optional<AdaParameters> ada;
  bool operator==(const WeightConfig&) const = default;
};

struct PtqLayerConfig {
  std::string name;
  bool quant_enable = false;
  // Migration strength of balancing; absent: not balanced.
  std::optional<double> dmq_balancer_param;
  ActivationConfig activation;
  // Absent: the file has no weight_quant_params, which means the defaults.
  std::optional<WeightConfig> weight;
  bool operator==(const PtqLayerConfig&) const = default;
};

// An input of an Add or MaxPool that is quantised on its own (the ONNX flavour's tensor_quantize).
struct TensorQuantizeConfig {
  std::string layer_name;
  int64_t input_index = 0;
  ActivationConfig activation;
  bool operator==(const TensorQuantizeConfig&) const = default;
};

struct PtqConfig {
  int64_t version = 1;
  int64_t batch_num = 1;
  bool activation_offset = true;
  // Layers whose results are added share scales and shifts (the ONNX flavour's).
  bool joint_quant = false;
  bool do_fusion = true;
  // fakequant_precision_mode is FORCE_FP16_QUANT, not DEFAULT.
  bool force_fp16_quant = false;
  std::vector<std::string> skip_fusion_layers;
  std::vector<TensorQuantizeConfig> tensor_quantize;
  // In any order; files are written sorted by name.
  std::vector<PtqLayerConfig> layers;
  bool operator==(const PtqConfig&) const = default;
};

// The keys beside the layers, in the order of the file. A layer cannot have one of these names.
std::span<const std::string_view> PtqGlobalKeys();
bool IsPtqGlobalKey(std::string_view name);

}  // namespace lathe::quant
