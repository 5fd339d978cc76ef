#include "lathe/quant/arq.h"

#include <algorithm>
#include <cmath>

#include "lathe/quant/affine.h"
#include "lathe/quant/internal/kernels.h"

namespace lathe::quant {
namespace {

using internal::BestKernels;
using internal::ValueRange;

Status CheckBits(int num_bits) {
  if (num_bits == 4 || (num_bits >= 6 && num_bits <= 8)) return OkStatus();
  return InvalidInput("cannot quantise weights to {} bits; 4, 6, 7 and 8 are possible", num_bits);
}

Status CheckSize(std::span<const float> weights, const WeightLayout& layout) {
  if (layout.groups < 1 || layout.outer < 1 || layout.local < 1 || layout.inner < 1) {
    return InvalidInput("a weight without values cannot be quantised");
  }
  if (weights.size() == static_cast<size_t>(layout.size())) return OkStatus();
  return InvalidInput("the weight has {} values where its shape needs {}", weights.size(),
                      layout.size());
}

Status CheckScales(std::span<const float> scales, const WeightLayout& layout) {
  if (scales.size() != static_cast<size_t>(layout.channels())) {
    return InvalidInput("{} weight scales are given for {} channels", scales.size(),
                        layout.channels());
  }
  for (size_t channel = 0; channel < scales.size(); ++channel) {
    const float scale = scales[channel];
    if (scale > 0.0f && std::isfinite(scale) && std::isfinite(1.0f / scale)) continue;
    return InvalidInput("the weight scale of channel {} is {}; it must be positive and finite",
                        channel, scale);
  }
  return OkStatus();
}

// Called once it is known that there is such a value, or to make sure that there is none.
Status CheckFinite(std::span<const float> weights) {
  if (BestKernels().find_range(weights.data(), weights.size()).finite()) return OkStatus();
  const auto bad =
      std::find_if(weights.begin(), weights.end(), [](float w) { return !std::isfinite(w); });
  return InvalidInput("the weight value at index {} is {}; only finite weights can be quantised",
                      bad - weights.begin(), *bad);
}

Status CheckAll(std::span<const float> weights, const WeightLayout& layout,
                std::span<const float> scales, int num_bits, size_t result_size) {
  LATHE_RETURN_IF_ERROR(CheckBits(num_bits));
  LATHE_RETURN_IF_ERROR(CheckSize(weights, layout));
  LATHE_RETURN_IF_ERROR(CheckScales(scales, layout));
  if (result_size != weights.size()) {
    return InternalError("room for {} quantised weights, {} needed", result_size, weights.size());
  }
  return CheckFinite(weights);
}

}  // namespace

StatusOr<std::vector<float>> ArqScales(std::span<const float> weights, const WeightLayout& layout,
                                       int num_bits) {
  LATHE_RETURN_IF_ERROR(CheckBits(num_bits));
  LATHE_RETURN_IF_ERROR(CheckSize(weights, layout));
  std::vector<ValueRange> ranges(static_cast<size_t>(layout.channels()));
  const auto& kernels = BestKernels();
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    ranges[channel].Widen(kernels.find_range(weights.data() + begin, length));
  });
  std::vector<float> scales;
  scales.reserve(ranges.size());
  for (const ValueRange& range : ranges) {
    if (!range.finite()) return CheckFinite(weights);
    LATHE_ASSIGN_OR_RETURN(const AffineParams params,
                           CalculateScaleOffset(range.min(), range.max(), num_bits, true));
    scales.push_back(params.scale);
  }
  return scales;
}

Status QuantizeWeights(std::span<const float> weights, const WeightLayout& layout,
                       std::span<const float> scales, int num_bits, std::span<int8_t> quantized) {
  LATHE_RETURN_IF_ERROR(CheckAll(weights, layout, scales, num_bits, quantized.size()));
  const auto& kernels = BestKernels();
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    kernels.quantize(weights.data() + begin, length, scales[channel], num_bits,
                     quantized.data() + begin);
  });
  return OkStatus();
}

Status FakeQuantizeWeights(std::span<const float> weights, const WeightLayout& layout,
                           std::span<const float> scales, int num_bits, std::span<float> result) {
  LATHE_RETURN_IF_ERROR(CheckAll(weights, layout, scales, num_bits, result.size()));
  const auto& kernels = BestKernels();
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    kernels.fake_quantize(weights.data() + begin, length, scales[channel], num_bits,
                          result.data() + begin);
  });
  return OkStatus();
}

}  // namespace lathe::quant
