// IFMR as the reference does it (its 7.3): all values kept, every candidate evaluated on all of
// them.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "lathe/quant/ifmr.h"

namespace lathe::quant {

inline float OraclePercentile(std::vector<float> values, double percentile, bool largest) {
  const size_t count = values.size();
  size_t k = 1;
  if (!(1.0 - percentile < 1.192092896e-7)) {
    k = count - static_cast<size_t>(static_cast<int64_t>(percentile * static_cast<double>(count)));
  }
  std::sort(values.begin(), values.end());
  return largest ? values[count - k] : values[k - 1];
}

struct OracleChoice {
  ActivationRange range;
  size_t ratio = 0;
};

inline OracleChoice ChooseIfmr(const IfmrOptions& options, const std::vector<float>& values) {
  const float vmax = std::max(0.0f, OraclePercentile(values, options.max_percentile, true));
  const float vmin = std::min(0.0f, OraclePercentile(values, options.min_percentile, false));
  const int half = 1 << (options.num_bits - 1);
  const int steps = static_cast<int>(
      std::ceil((options.search_range_end - options.search_range_start) / options.search_step));
  OracleChoice best;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < steps; ++i) {
    const float ratio = static_cast<float>(options.search_range_start + i * options.search_step);
    float clip = 0.0f;
    float low = 0.0f;
    float scale = 0.0f;
    if (options.asymmetric) {
      clip = ratio * vmax;
      low = vmin;
      scale = (clip - vmin) / static_cast<float>(2 * half - 1);
    } else {
      clip = ratio * std::max(std::fabs(vmax), std::fabs(vmin));
      low = -clip;
      scale = clip / static_cast<float>(std::fabs(vmax) < std::fabs(vmin) ? half : half - 1);
    }
    if (scale < 1.192092896e-7f) scale = 1.0f;
    double loss = 0.0;
    for (const float x : values) {
      const float error = scale * std::nearbyint(std::min(std::max(x, low), clip) / scale) - x;
      const float square = error * error;
      loss += double{square};
    }
    if (loss < least) {
      least = loss;
      best.ratio = static_cast<size_t>(i);
      best.range.params.scale = scale;
    }
  }
  const float scale = best.range.params.scale;
  const int offset =
      options.asymmetric ? static_cast<int>(-std::nearbyint(vmin / scale)) - half : 0;
  best.range.params.offset = offset;
  best.range.clip_max = static_cast<float>(half - 1 - offset) * scale;
  best.range.clip_min = static_cast<float>(-(half + offset)) * scale;
  return best;
}

}  // namespace lathe::quant
