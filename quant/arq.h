// ARQ: weight quantisation by the largest magnitude (the reference's 7.2). No search.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// One scale a channel of `layout`: 7.1 symmetric on the channel's minimum and maximum.
// num_bits is 4, 6, 7 or 8. One pass over the weights.
// Errors: another width; weights.size() is not layout.size(); no weights; a value that is not
// finite (names its index).
StatusOr<std::vector<float>> ArqScales(std::span<const float> weights, const WeightLayout& layout,
                                       int num_bits);

// quantized[i] = clamp(round(weights[i] / scale of its channel)), in int8 for every width (the
// reference's 5.3). Scales hold one value a channel. One pass. Errors: sizes that do not fit; a
// scale that is not positive and finite, or whose reciprocal is not (names the channel); a weight
// that is not finite (names its index).
Status QuantizeWeights(std::span<const float> weights, const WeightLayout& layout,
                       std::span<const float> scales, int num_bits, std::span<int8_t> quantized);

// result[i] = clamp(round(weights[i] / scale)) * scale. `result` may be `weights` itself. Errors as
// above.
Status FakeQuantizeWeights(std::span<const float> weights, const WeightLayout& layout,
                           std::span<const float> scales, int num_bits, std::span<float> result);

}  // namespace lathe::quant
