#include "lathe/quant/config/retrain_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "lathe/support/decimal_text.h"

namespace lathe::quant {
namespace {

Status CheckClip(std::string_view where, std::string_view key, double value, bool above) {
  const auto stored = static_cast<float>(value);
  if (std::isfinite(stored) && (above ? stored > 0 : stored < 0)) return OkStatus();
  return InvalidInput("{}: {} is {}, it must be {} 0 and finite", where, key, DecimalText(value),
                      above ? "above" : "below");
}

}  // namespace

NetworkDescription TrainableNetwork(NetworkDescription network) {
  std::erase_if(network.layers, [&](LayerDescription& layer) {
    std::string reason = std::move(layer.on_request);
    if (layer.type == LayerType::kAvgPool2d) reason = "it has nothing to train";
    if (reason.empty()) return false;
    network.others.push_back(
        {std::move(layer.name), std::string(ToString(layer.type)), std::move(reason)});
    return true;
  });
  return network;
}

Status CheckRetrainData(std::string_view where, const RetrainDataConfig& data) {
  if (data.num_bits != 4 && data.num_bits != 8 && data.num_bits != 16) {
    return InvalidInput("{}: dst_type is INT{}, allowed are INT4, INT8, INT16", where,
                        data.num_bits);
  }
  if (!data.clips.has_value()) return OkStatus();
  LATHE_RETURN_IF_ERROR(CheckClip(where, "clip_max", data.clips->max, true));
  return CheckClip(where, "clip_min", data.clips->min, false);
}

Status CheckRetrainWeight(std::string_view where, const RetrainWeightConfig& weight) {
  if (weight.num_bits == 4 || weight.num_bits == 8) return OkStatus();
  return InvalidInput("{}: dst_type is INT{}, allowed are INT4, INT8", where, weight.num_bits);
}

Status CheckRetrainPair(std::string_view where, int64_t activation_bits, int64_t weight_bits) {
  constexpr std::array<std::pair<int64_t, int64_t>, 4> kPairs = {{{4, 4}, {8, 8}, {16, 8}, {8, 4}}};
  if (std::ranges::find(kPairs, std::pair(activation_bits, weight_bits)) != kPairs.end()) {
    return OkStatus();
  }
  return InvalidInput(
      "{}: activations of INT{} with weights of INT{}: allowed are INT4 with INT4, INT8 with INT8 "
      "or INT4, INT16 with INT8",
      where, activation_bits, weight_bits);
}

}  // namespace lathe::quant
