#include "lathe/quant/balance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::quant {
namespace {

// Magnitudes below this count as nothing.
constexpr float kVanishing = 1.19e-7f;
// FLT_EPS: bounds of a factor, with its reciprocal.
constexpr float kSmallestFactor = 0x1p-23f;

bool AllVanish(std::span<const float> magnitudes) {
  return std::ranges::all_of(magnitudes, [](float value) { return value < kVanishing; });
}

Status CheckSize(size_t values, const WeightLayout& layout) {
  if (values == static_cast<size_t>(layout.size())) return OkStatus();
  return InvalidInput("{} values are given where the shape needs {}", values, layout.size());
}

}  // namespace

StatusOr<std::vector<float>> ChannelMagnitudes(std::span<const float> values,
                                               const WeightLayout& layout) {
  LATHE_RETURN_IF_ERROR(CheckSize(values.size(), layout));
  std::vector<float> magnitudes(static_cast<size_t>(layout.channels()), 0.0f);
  bool finite = true;
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    float largest = magnitudes[channel];
    for (const float value : values.subspan(begin, length)) {
      const float size = std::abs(value);
      finite &= size <= std::numeric_limits<float>::max();
      largest = std::max(largest, size);
    }
    magnitudes[channel] = largest;
  });
  if (finite) return magnitudes;
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  return InvalidInput("the value at index {} is {}; only finite values can be balanced",
                      bad - values.begin(), *bad);
}

StatusOr<std::vector<float>> BalanceFactors(std::span<const float> activation,
                                            std::span<const float> weight, double strength) {
  if (activation.size() != weight.size()) {
    return InvalidInput("the activation has {} channels, the weight {}", activation.size(),
                        weight.size());
  }
  if (!(strength >= 0.2 && strength <= 0.8)) {
    return InvalidInput("the migration strength is {}, it must be from 0.2 to 0.8", strength);
  }
  std::vector<float> factors(activation.size(), 1.0f);
  if (AllVanish(activation) || AllVanish(weight)) return factors;
  const auto power = static_cast<float>(strength);
  const auto rest = static_cast<float>(1.0 - strength);
  float largest_activation = 0.0f;
  float largest_weight = 0.0f;
  for (size_t c = 0; c < factors.size(); ++c) {
    const bool no_weight = weight[c] < kVanishing;
    factors[c] = no_weight ? 0.0f : std::pow(activation[c], power) / std::pow(weight[c], rest);
    if (factors[c] < kVanishing) continue;
    largest_activation = std::max(largest_activation, activation[c] / factors[c]);
    largest_weight = std::max(largest_weight, weight[c] * factors[c]);
  }
  for (size_t c = 0; c < factors.size(); ++c) {
    const bool no_activation = activation[c] < kVanishing;
    const bool no_weight = weight[c] < kVanishing;
    if (no_activation && no_weight) {
      factors[c] = 1.0f;
    } else if (no_activation) {
      factors[c] = largest_weight / weight[c];
    } else if (no_weight) {
      factors[c] = activation[c] / largest_activation;
    }
    if (factors[c] > kSmallestFactor && factors[c] < 1 / kSmallestFactor) continue;
    return InvalidInput(
        "the balance factor of input channel {} is {}, from an activation of up to {} and weights "
        "of up to {}; it must be between {} and {}",
        c, factors[c], activation[c], weight[c], kSmallestFactor, 1 / kSmallestFactor);
  }
  return factors;
}

Status MultiplyChannels(std::span<float> values, const WeightLayout& layout,
                        std::span<const float> factors) {
  LATHE_RETURN_IF_ERROR(CheckSize(values.size(), layout));
  if (factors.size() != static_cast<size_t>(layout.channels())) {
    return InvalidInput("{} balance factors are given for {} input channels", factors.size(),
                        layout.channels());
  }
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    for (float& value : values.subspan(begin, length)) value *= factors[channel];
  });
  return OkStatus();
}

}  // namespace lathe::quant
