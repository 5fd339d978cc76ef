// The inner loops, compiled once for each instruction set and chosen when the program runs. All
// forms give the same bits: every step is an exact or correctly rounded IEEE operation on one
// element, and what is summed is summed exactly.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lathe/quant/internal/value_range.h"

namespace lathe::quant::internal {

// Form of the words that `accumulate` adds up: a count above, a sum of fractions below.
inline constexpr int kTableBits = 16;
inline constexpr size_t kTableSize = size_t{1} << kTableBits;
inline constexpr int kFractionBits = 20;
inline constexpr int kSumBits = 42;
inline constexpr uint64_t kSumMask = (uint64_t{1} << kSumBits) - 1;
inline constexpr size_t kMaxAdditions = (size_t{1} << (64 - kSumBits)) - 1;
// Bins below this one are not kept: a value in them may have bits below the last of the fraction.
inline constexpr size_t kFirstBin = 8;

// One candidate of a scale search, for `score`.
struct ScoreParams {
  float clip_min;
  float clip_max;
  float scale;
  // A power of two, at least any squared error; larger ones count as this.
  float largest_error;
};

// A sum of squared errors as high * largest_error * 2^-40 + low * largest_error * 2^-80, both
// exact.
struct ScoreSum {
  int64_t high;
  int64_t low;
};
// How many values `score` and `accumulate` take in one call.
inline constexpr size_t kMaxChunk = 4096;

struct Kernels {
  ValueRange (*find_range)(const float* values, size_t count);

  // For each value x, with p = |x| / w and i = floor(p) < 2^16, adds 1 and (p - i) * 2^20 to
  // words[i], or to words[2^16 + i] for a negative x. What is below bin 8 lands in any of the bins
  // 0..7.
  void (*accumulate)(const float* values, size_t count, float inverse_width, uint64_t* words);

  // Sum over x of (scale * round(clamp(x) / scale) - x)^2, each term in float32, |clamp(x)| / scale
  // < 2^22.
  ScoreSum (*score)(const float* values, size_t count, const ScoreParams& params);

  // clamp(round(x / scale)) as an integer, and times scale.
  void (*quantize)(const float* values, size_t count, float scale, int num_bits, int8_t* result);
  void (*fake_quantize)(const float* values, size_t count, float scale, int num_bits,
                        float* result);
};

enum class InstructionSet { kPortable, kAvx2, kAvx512 };

// The kernels for one instruction set; nullptr when this machine does not have it.
const Kernels* KernelsFor(InstructionSet set);

// Those for the best instruction set this machine has.
const Kernels& BestKernels();

}  // namespace lathe::quant::internal
