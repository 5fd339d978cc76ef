#include "lathe/quant/bias.h"

#include <cmath>

namespace lathe::quant {

StatusOr<std::vector<int32_t>> QuantizeBias(std::span<const float> bias,
                                            std::span<const float> scale_w, float scale_d) {
  if (scale_w.size() != 1 && scale_w.size() != bias.size()) {
    return InvalidInput("{} weight scales are given for a bias of {} channels", scale_w.size(),
                        bias.size());
  }
  std::vector<int32_t> quantized(bias.size());
  for (size_t channel = 0; channel < bias.size(); ++channel) {
    const float scale = scale_w[scale_w.size() == 1 ? 0 : channel] * scale_d;
    const float value = std::nearbyint(bias[channel] / scale);
    // 2^31 itself is the float32 nearest to the largest int32, and is already too large.
    if (!(value >= -0x1p31f && value < 0x1p31f)) {
      return InvalidInput(
          "the bias of channel {} is {}, which is {:.0f} steps of {} and does not fit into int32; "
          "leave this "
          "layer float, or give it a larger weight or activation scale",
          channel, bias[channel], value, scale);
    }
    quantized[channel] = static_cast<int32_t>(value);
  }
  return quantized;
}

}  // namespace lathe::quant
