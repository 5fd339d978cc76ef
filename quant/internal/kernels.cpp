#include "lathe/quant/internal/kernels.h"

#include <algorithm>
#include <bit>

#include "lathe/quant/affine.h"

// Each loop is written once, for the compiler to vectorise, and is inlined into one function for
// each instruction set.
#define LATHE_INLINE [[gnu::always_inline]] inline

namespace lathe::quant::internal {
namespace {

// Adding and subtracting it rounds |x| <= 2^22 to an integer, half to even; unlike nearbyint it
// vectorises everywhere.
constexpr float kRoundFloat = 0x1.8p23f;

LATHE_INLINE float RoundSmall(float x) { return (x + kRoundFloat) - kRoundFloat; }

LATHE_INLINE ValueRange FindRange(const float* values, size_t count) {
  int32_t min_key = INT32_MAX;
  int32_t max_key = INT32_MIN;
  for (size_t i = 0; i < count; ++i) {
    const int32_t bits = std::bit_cast<int32_t>(values[i]);
    const int32_t key = bits ^ ((bits >> 31) & 0x7fffffff);
    min_key = key < min_key ? key : min_key;
    max_key = key > max_key ? key : max_key;
  }
  return {min_key, max_key};
}

LATHE_INLINE void Accumulate(const float* values, size_t count, float inverse_width,
                             uint64_t* words) {
  constexpr size_t kBlock = 512;
  uint32_t index[kBlock];
  uint32_t fraction[kBlock];
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t length = std::min(kBlock, count - begin);
    for (size_t j = 0; j < length; ++j) {
      const uint32_t bits = std::bit_cast<uint32_t>(values[begin + j]);
      const float position = std::bit_cast<float>(bits & 0x7fffffffu) * inverse_width;
      const int32_t bin = static_cast<int32_t>(position);
      const float rest = position - static_cast<float>(bin);
      // Many zeros must not all wait for one another at one word.
      const int32_t spread = static_cast<int32_t>(j & (kFirstBin - 1));
      const int32_t target = bin < static_cast<int32_t>(kFirstBin) ? spread : bin;
      index[j] = static_cast<uint32_t>(target) | ((bits >> 31) << kTableBits);
      fraction[j] = static_cast<uint32_t>(static_cast<int32_t>(rest * float{1 << kFractionBits}));
    }
    for (size_t j = 0; j < length; ++j) {
      words[index[j]] += (uint64_t{1} << kSumBits) + fraction[j];
    }
  }
}

// Each squared error is cut into a multiple of largest_error * 2^-40 and a rest, the rest likewise.
// Adding 1.5 * 2^52 units to a double leaves the number of units in its low bits, and integers add
// up in any order.
LATHE_INLINE ScoreSum Score(const float* values, size_t count, const ScoreParams& params) {
  const ScoreParams p = params;
  const double round_high = 0x1.8p12 * double{p.largest_error};
  const double round_low = 0x1.8p-28 * double{p.largest_error};
  uint64_t high = 0;
  uint64_t low = 0;
  for (size_t i = 0; i < count; ++i) {
    const float x = values[i];
    const float raised = x > p.clip_min ? x : p.clip_min;
    const float clamped = raised < p.clip_max ? raised : p.clip_max;
    const float error = p.scale * RoundSmall(clamped / p.scale) - x;
    const float square = error * error;
    const float term = square < p.largest_error ? square : p.largest_error;
    const double high_sum = term + round_high;
    const double low_sum = (term - (high_sum - round_high)) + round_low;
    high += std::bit_cast<uint64_t>(high_sum);
    low += std::bit_cast<uint64_t>(low_sum);
  }
  return {static_cast<int64_t>(high - count * std::bit_cast<uint64_t>(round_high)),
          static_cast<int64_t>(low - count * std::bit_cast<uint64_t>(round_low))};
}

// Clamping before rounding is the same as after it, because the bounds are integers, and keeps the
// value small.
LATHE_INLINE float QuantizeOne(float x, float scale, float lowest, float highest) {
  const float value = x / scale;
  const float raised = value > lowest ? value : lowest;
  return RoundSmall(raised < highest ? raised : highest);
}

LATHE_INLINE void Quantize(const float* values, size_t count, float scale, int num_bits,
                           int8_t* result) {
  const float lowest = static_cast<float>(MinQuantized(num_bits));
  const float highest = static_cast<float>(MaxQuantized(num_bits));
  for (size_t i = 0; i < count; ++i) {
    result[i] =
        static_cast<int8_t>(static_cast<int32_t>(QuantizeOne(values[i], scale, lowest, highest)));
  }
}

LATHE_INLINE void FakeQuantize(const float* values, size_t count, float scale, int num_bits,
                               float* result) {
  const float lowest = static_cast<float>(MinQuantized(num_bits));
  const float highest = static_cast<float>(MaxQuantized(num_bits));
  for (size_t i = 0; i < count; ++i) {
    const float x = values[i];
    const float size = QuantizeOne(x, scale, lowest, highest) * scale;
    // A small negative value rounds to -0, which RoundSmall does not keep.
    const uint32_t sign = std::bit_cast<uint32_t>(x) & 0x80000000u;
    result[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(size) | sign);
  }
}

#define LATHE_DEFINE_KERNELS(name, target)                                                   \
  namespace name {                                                                           \
  target ValueRange FindRangeHere(const float* values, size_t count) {                       \
    return FindRange(values, count);                                                         \
  }                                                                                          \
  target void AccumulateHere(const float* values, size_t count, float inverse_width,         \
                             uint64_t* words) {                                              \
    Accumulate(values, count, inverse_width, words);                                         \
  }                                                                                          \
  target ScoreSum ScoreHere(const float* values, size_t count, const ScoreParams& params) {  \
    return Score(values, count, params);                                                     \
  }                                                                                          \
  target void QuantizeHere(const float* values, size_t count, float scale, int num_bits,     \
                           int8_t* result) {                                                 \
    Quantize(values, count, scale, num_bits, result);                                        \
  }                                                                                          \
  target void FakeQuantizeHere(const float* values, size_t count, float scale, int num_bits, \
                               float* result) {                                              \
    FakeQuantize(values, count, scale, num_bits, result);                                    \
  }                                                                                          \
  constexpr Kernels kKernels = {FindRangeHere, AccumulateHere, ScoreHere, QuantizeHere,      \
                                FakeQuantizeHere};                                           \
  }

LATHE_DEFINE_KERNELS(portable, )
#if defined(__x86_64__)
LATHE_DEFINE_KERNELS(avx2, [[gnu::target("avx2")]])
LATHE_DEFINE_KERNELS(avx512,
                     [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")]])
#endif

}  // namespace

const Kernels* KernelsFor(InstructionSet set) {
#if defined(__x86_64__)
  switch (set) {
    case InstructionSet::kPortable:
      return &portable::kKernels;
    case InstructionSet::kAvx2:
      return __builtin_cpu_supports("avx2") ? &avx2::kKernels : nullptr;
    case InstructionSet::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                 ? &avx512::kKernels
                 : nullptr;
  }
  return nullptr;
#else
  return set == InstructionSet::kPortable ? &portable::kKernels : nullptr;
#endif
}

const Kernels& BestKernels() {
  static const Kernels& best = []() -> const Kernels& {
    for (const InstructionSet set : {InstructionSet::kAvx512, InstructionSet::kAvx2}) {
      if (const Kernels* kernels = KernelsFor(set)) return *kernels;
    }
    return *KernelsFor(InstructionSet::kPortable);
  }();
  return best;
}

}  // namespace lathe::quant::internal
