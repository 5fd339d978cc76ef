// Affine quantisation parameters and the two elementwise fake-quant forms (the reference's 7.1).
//
// A real value x is represented by the integer q = round(x / scale) + offset, n bits, signed.
// `round` is half to even everywhere. All arithmetic is float32, in exactly the order written here.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lathe/support/status.h"

namespace lathe::quant {

struct AffineParams {
  float scale = 1.0f;
  int32_t offset = 0;

  bool operator==(const AffineParams&) const = default;
};

// The smallest scale that is kept; a smaller one is replaced by 1 (the reference's FLT_EPS guard).
inline constexpr float kMinScale = 1.1920928955078125e-7f;

// Bounds of a signed n-bit integer, 2 <= n <= 16.
constexpr int32_t MinQuantized(int num_bits) { return -(int32_t{1} << (num_bits - 1)); }
constexpr int32_t MaxQuantized(int num_bits) { return (int32_t{1} << (num_bits - 1)) - 1; }

// Scale and offset of the range [min, max] (the reference's 7.1).
//   asymmetric: the range is widened to hold 0, then scale = (max - min) / (2^n - 1) and
//               offset = -2^(n-1) - min / scale;
//   symmetric:  offset 0, scale = max(|max|, |min|) / (2^(n-1) - 1), or / 2^(n-1) when |max| <
//   |min|.
// A scale below kMinScale becomes 1, and then the offset of the asymmetric form is -2^(n-1).
// Errors: num_bits outside 2..16; scale, 1/scale or offset not finite.
StatusOr<AffineParams> CalculateScaleOffset(float min, float max, int num_bits, bool symmetric);

// Scale in the precision of float16 (the reference's FORCE_FP16_QUANT, 7.1): the nearest float16,
// or, outside float16's normal range, the square of the nearest float16 of the square root. Error:
// the result is not a positive finite number.
StatusOr<float> RoundToFp16Precision(float scale);

// 1/scale as AscendQuant carries it: divided in double, rounded once to float32.
inline float Reciprocal(float scale) { return static_cast<float>(1.0 / double{scale}); }

// The integer, as float, that weights and ULQ use: clamp(round(x / scale + offset)).
inline float QuantizeByScale(float x, AffineParams params, int num_bits) {
  const float value = std::nearbyint(x / params.scale + static_cast<float>(params.offset));
  return std::clamp(value, static_cast<float>(MinQuantized(num_bits)),
                    static_cast<float>(MaxQuantized(num_bits)));
}

// The integer, as float, that AscendQuant and its simulation use: clamp(round(x * reciprocal) +
// offset), with reciprocal = Reciprocal(scale).
inline float QuantizeByReciprocal(float x, float reciprocal, int32_t offset, int num_bits) {
  const float value = std::nearbyint(x * reciprocal) + static_cast<float>(offset);
  return std::clamp(value, static_cast<float>(MinQuantized(num_bits)),
                    static_cast<float>(MaxQuantized(num_bits)));
}

// Fake-quantised x in the two forms: the real value that the integer stands for.
inline float FakeQuantizeByScale(float x, AffineParams params, int num_bits) {
  return (QuantizeByScale(x, params, num_bits) - static_cast<float>(params.offset)) * params.scale;
}
inline float FakeQuantizeByReciprocal(float x, AffineParams params, int num_bits) {
  return (QuantizeByReciprocal(x, Reciprocal(params.scale), params.offset, num_bits) -
          static_cast<float>(params.offset)) *
         params.scale;
}

}  // namespace lathe::quant
