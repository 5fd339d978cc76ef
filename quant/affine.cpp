#include "lathe/quant/affine.h"

#include <Eigen/Core>

namespace lathe::quant {

StatusOr<AffineParams> CalculateScaleOffset(float min, float max, int num_bits, bool symmetric) {
  if (num_bits < 2 || num_bits > 16) {
    return InvalidInput("cannot quantise to {} bits; 2 to 16 are possible", num_bits);
  }
  const int32_t half = int32_t{1} << (num_bits - 1);
  float scale = 0.0f;
  float offset = 0.0f;
  if (symmetric) {
    const float max_size = std::abs(max);
    const float min_size = std::abs(min);
    const int32_t levels = half - (max_size < min_size ? 0 : 1);
    scale = std::max(max_size, min_size) / static_cast<float>(levels);
  } else {
    max = std::max(max, 0.0f);
    min = std::min(min, 0.0f);
    scale = (max - min) / static_cast<float>(2 * half - 1);
    offset = static_cast<float>(-half);
    if (max != min) offset -= min / scale;
  }
  if (scale < kMinScale) {
    scale = 1.0f;
    offset = symmetric ? 0.0f : static_cast<float>(-half);
  }
  if (!std::isfinite(scale) || !std::isfinite(1.0f / scale) || !std::isfinite(offset)) {
    return InvalidInput("the range [{}, {}] gives no finite scale and offset", min, max);
  }
  return AffineParams{scale, static_cast<int32_t>(std::nearbyint(offset))};
}

StatusOr<float> RoundToFp16Precision(float scale) {
  constexpr float kLargestHalf = 65504.0f;
  constexpr float kSmallestNormalHalf = 0x1p-14f;
  float rounded = 0.0f;
  if (scale > kLargestHalf || scale < kSmallestNormalHalf) {
    const float root = static_cast<float>(Eigen::half(std::sqrt(scale)));
    rounded = root * root;
  } else {
    rounded = static_cast<float>(Eigen::half(scale));
  }
  if (!(rounded > 0.0f) || !std::isfinite(rounded)) {
    return InvalidInput("the scale {} cannot be written in float16 precision", scale);
  }
  return rounded;
}

}  // namespace lathe::quant
