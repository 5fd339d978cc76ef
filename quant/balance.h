// Balancing (DMQ, the reference's 7.5): one factor an input channel moves range from activations,
// which are divided by it, to weights, which are multiplied by it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// Largest magnitude of each channel of `layout`. One pass. Errors: values.size() is not
// layout.size(); a value that is not finite (names its index).
StatusOr<std::vector<float>> ChannelMagnitudes(std::span<const float> values,
                                               const WeightLayout& layout);

// The factors of one layer from the largest magnitudes of its activation and of the weights that
// meet each input channel:
//   f = activation^strength / weight^(1 - strength)
// A channel whose activation or weight vanishes gets the factor that lifts the other to the largest
// balanced magnitude; a layer whose activation or weight vanishes altogether gets ones (where the
// reference fails).
// Errors: lengths that differ; strength outside [0.2, 0.8]; a factor outside the open range of
// 2^-23 to 2^23 (names the channel).
StatusOr<std::vector<float>> BalanceFactors(std::span<const float> activation,
                                            std::span<const float> weight, double strength);

// values[i] *= factors[channel of i]. One pass. Errors: sizes that do not fit.
Status MultiplyChannels(std::span<float> values, const WeightLayout& layout,
                        std::span<const float> factors);

}  // namespace lathe::quant
