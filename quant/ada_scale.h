// The scales that AdaRound starts from (the reference's 7.6): the range whose 8-bit histogram is
// nearest to the weights' own in the sense of the Kullback-Leibler divergence.
#pragma once

#include <span>
#include <vector>

#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// One scale a channel of `layout`. Weights beyond 127 scales are clipped later: the range may be
// smaller than the largest magnitude. A channel of zeros, and a scale below kMinScale, gives 1.
// Memory: one channel. Errors: weights.size() is not layout.size(); no weights; a weight that is
// not finite (names its index).
StatusOr<std::vector<float>> KlScales(std::span<const float> weights, const WeightLayout& layout);

}  // namespace lathe::quant
