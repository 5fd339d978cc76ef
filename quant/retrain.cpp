#include "lathe/quant/retrain.h"

#include <cmath>

namespace lathe::quant {

Clips UsableClips(Clips clips, const std::optional<Clips>& previous, bool fixed_min) {
  if (fixed_min) clips.min = 0.0f;
  if (!previous.has_value()) return clips;
  if (clips.max == clips.min) return *previous;
  if (clips.max < 0.0f) {
    clips.max = previous->max;
  } else if (clips.min > 0.0f) {
    clips.min = previous->min;
  }
  return clips;
}

StatusOr<AffineParams> UlqParams(Clips clips, int num_bits) {
  if (!std::isfinite(clips.max) || !std::isfinite(clips.min)) {
    return InvalidInput("the clips {} and {} are not finite", clips.min, clips.max);
  }
  return CalculateScaleOffset(clips.min, clips.max, num_bits, /*symmetric=*/false);
}

StatusOr<std::vector<float>> RecordedWeightScales(std::span<const float> scales,
                                                  const BatchNorm* batch_norm) {
  std::vector<float> recorded(scales.begin(), scales.end());
  if (batch_norm != nullptr) {
    const size_t channels = batch_norm->gamma.size();
    if (batch_norm->variance.size() != channels ||
        (scales.size() != 1 && scales.size() != channels)) {
      return InvalidInput("{} weight scales do not fit a BatchNormalization of {} channels",
                          scales.size(), channels);
    }
    recorded.resize(channels);
    for (size_t c = 0; c < channels; ++c) {
      const float r = 1.0f / std::sqrt(batch_norm->variance[c] + batch_norm->epsilon);
      recorded[c] =
          std::abs(scales[scales.size() == 1 ? 0 : c]) * std::abs(batch_norm->gamma[c] * r);
    }
  }
  for (size_t c = 0; c < recorded.size(); ++c) {
    if (!std::isfinite(recorded[c])) {
      return InvalidInput("the weight scale of channel {} is not finite", c);
    }
    if (recorded[c] < kMinScale) recorded[c] = 1.0f;
  }
  return recorded;
}

std::vector<float> LearnedWeightScales(std::span<const float> stored, bool reciprocal) {
  std::vector<float> scales(stored.begin(), stored.end());
  if (reciprocal) {
    for (float& scale : scales) scale = 1.0f / scale;
  }
  return scales;
}

}  // namespace lathe::quant
