// Bias quantisation (the reference's 5.4).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/support/status.h"

namespace lathe::quant {

// round(bias[c] / (scale_w[c] * scale_d)), all in float32; scale_w holds one value or one a
// channel. The activation offset is not folded in. Errors: a value outside int32, which is never
// clipped, or a bias that is not finite (both name channel and value); scale_w of another length.
StatusOr<std::vector<int32_t>> QuantizeBias(std::span<const float> bias,
                                            std::span<const float> scale_w, float scale_d);

}  // namespace lathe::quant
