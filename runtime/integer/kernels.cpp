#include "lathe/runtime/integer/kernels.h"

#include <cstring>

#include "lathe/support/half.h"

// Each loop is written once, for the compiler to vectorise, and is inlined into one function for
// each instruction set.
#define LATHE_INLINE [[gnu::always_inline]] inline

namespace lathe::runtime::integer {
namespace {

// Adding and subtracting it rounds |x| <= 2^22 to an integer, half to even.
constexpr float kRoundFloat = 0x1.8p23f;

LATHE_INLINE int32_t WrapAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

LATHE_INLINE void Tile8(const TileArgs& args) {
  for (size_t p = 0; p < args.panels; ++p) {
    for (size_t r = 0; r < kTileRows; ++r) {
      int32_t sums[kPanel] = {};
      const auto* w = reinterpret_cast<const int8_t*>(args.weights + p * args.panel_bytes);
      for (size_t tap = 0; tap < args.taps; ++tap) {
        const auto* x = reinterpret_cast<const uint8_t*>(args.rows[tap * kTileRows + r]);
        for (size_t g = 0; g < args.groups; ++g, x += 4, w += 4 * kPanel) {
          const int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
          for (size_t c = 0; c < kPanel; ++c) {
            const int8_t* v = w + 4 * c;
            sums[c] = WrapAdd(sums[c], x0 * v[0] + x1 * v[1] + x2 * v[2] + x3 * v[3]);
          }
        }
      }
      std::memcpy(args.sums + r * kTileColumns + p * kPanel, sums, sizeof(sums));
    }
  }
}

LATHE_INLINE void Tile16(const TileArgs& args) {
  for (size_t p = 0; p < args.panels; ++p) {
    for (size_t r = 0; r < kTileRows; ++r) {
      int32_t sums[kPanel] = {};
      const auto* w = reinterpret_cast<const int16_t*>(args.weights + p * args.panel_bytes);
      for (size_t tap = 0; tap < args.taps; ++tap) {
        const std::byte* row = args.rows[tap * kTileRows + r];
        for (size_t g = 0; g < args.groups; ++g, row += 4, w += 2 * kPanel) {
          int16_t x[2];
          std::memcpy(x, row, sizeof(x));
          const int32_t x0 = x[0], x1 = x[1];
          for (size_t c = 0; c < kPanel; ++c) {
            sums[c] = WrapAdd(sums[c], x0 * w[2 * c] + x1 * w[2 * c + 1]);
          }
        }
      }
      std::memcpy(args.sums + r * kTileColumns + p * kPanel, sums, sizeof(sums));
    }
  }
}

LATHE_INLINE void Depthwise8(const DepthwiseArgs& args) {
  const size_t panel_bytes = (args.taps + 3) / 4 * 4 * kPanel;
  for (size_t r = 0; r < args.num_rows; ++r) {
    const std::byte* const* rows = args.rows + r * args.taps;
    for (size_t first = 0; first < args.channels; first += kPanel) {
      int32_t sums[kPanel] = {};
      for (size_t tap = 0; tap < args.taps; ++tap) {
        const auto* x = reinterpret_cast<const uint8_t*>(rows[tap]) + args.first_channel + first;
        const int8_t* w =
            args.weights + first / kPanel * panel_bytes + tap / 4 * 4 * kPanel + tap % 4;
        for (size_t c = 0; c < kPanel; ++c) sums[c] = WrapAdd(sums[c], int32_t{x[c]} * w[4 * c]);
      }
      std::memcpy(args.sums + r * kTileColumns + first, sums, sizeof(sums));
    }
  }
}

LATHE_INLINE void Dequantize(const EpilogueArgs& args, const int32_t* sums, float* x) {
  const size_t count = args.num_channels;
  const int32_t* bias = args.bias + args.first_channel;
  const float* scale = args.scale + args.first_channel;
  if (args.shift == nullptr) {
    for (size_t c = 0; c < count; ++c) {
      x[c] = static_cast<float>(WrapAdd(sums[c], bias[c])) * scale[c];
    }
    return;
  }
  const int32_t* shift = args.shift + args.first_channel;
  const float* shift_scale = args.shift_scale + args.first_channel;
  for (size_t c = 0; c < count; ++c) {
    int32_t s = WrapAdd(sums[c], bias[c]) >> shift[c];
    s = s < INT16_MIN ? INT16_MIN : s > INT16_MAX ? INT16_MAX : s;
    x[c] = static_cast<float>(s) * scale[c] * shift_scale[c];
  }
}

LATHE_INLINE void Apply(const ElementOp& op, const EpilogueArgs& args, size_t row, float* x) {
  using Kind = ElementOp::Kind;
  const size_t count = args.num_channels;
  const auto values = [&] { return op.values + args.first_channel; };
  const auto tensor = [&] { return op.tensor + row * args.stride + args.first_channel; };
  const float low = op.low;
  const float high = op.high;
  switch (op.kind) {
    case Kind::kAddTensor:
      for (size_t c = 0; c < count; ++c) x[c] += tensor()[c];
      break;
    case Kind::kMulTensor:
      for (size_t c = 0; c < count; ++c) x[c] *= tensor()[c];
      break;
    case Kind::kAddChannels:
      for (size_t c = 0; c < count; ++c) x[c] += values()[c];
      break;
    case Kind::kMulChannels:
      for (size_t c = 0; c < count; ++c) x[c] *= values()[c];
      break;
    case Kind::kClamp:
      for (size_t c = 0; c < count; ++c) {
        const float raised = low > x[c] ? low : x[c];
        x[c] = high < raised ? high : raised;
      }
      break;
    case Kind::kLeaky:
      for (size_t c = 0; c < count; ++c) x[c] = x[c] < 0 ? x[c] * low : x[c];
      break;
    case Kind::kHalf:
      for (size_t c = 0; c < count; ++c) x[c] = HalfToFloat(FloatToHalf(x[c]));
      break;
  }
}

template <typename T>
LATHE_INLINE void Quantize(const QuantTarget& target, const EpilogueArgs& args, size_t row,
                           const float* x) {
  T* out = static_cast<T*>(target.data) + row * target.stride + args.first_channel;
  const float scale = target.scale;
  const float low = target.low;
  const float high = target.high;
  const int32_t add = target.add;
  for (size_t c = 0; c < args.num_channels; ++c) {
    // Clamping before rounding is the same as after it, because the bounds are integers, and keeps
    // the value small. NaN becomes the smallest.
    const float value = x[c] * scale;
    const float raised = value > low ? value : low;
    const float clamped = raised < high ? raised : high;
    const float rounded = (clamped + kRoundFloat) - kRoundFloat;
    out[c] = static_cast<T>(static_cast<int32_t>(rounded) + add);
  }
}

LATHE_INLINE void RunEpilogue(const EpilogueArgs& args) {
  for (size_t r = 0; r < args.num_rows; ++r) {
    const size_t row = args.first_row + r;
    const size_t at = row * args.stride + args.first_channel;
    if (args.sums_out != nullptr) {
      const int32_t* sums = args.sums + r * args.source_stride;
      for (size_t c = 0; c < args.num_channels; ++c) {
        args.sums_out[at + c] = WrapAdd(sums[c], args.bias[args.first_channel + c]);
      }
      continue;
    }
    float x[kTileColumns];
    if (args.sums != nullptr) {
      Dequantize(args, args.sums + r * args.source_stride, x);
    } else {
      std::memcpy(x, args.floats + r * args.source_stride, args.num_channels * sizeof(float));
    }
    for (size_t i = 0; i < args.num_ops; ++i) Apply(args.ops[i], args, row, x);
    if (args.floats_out != nullptr) {
      std::memcpy(args.floats_out + at, x, args.num_channels * sizeof(float));
    }
    for (size_t i = 0; i < args.num_quants; ++i) {
      const QuantTarget& target = args.quants[i];
      if (target.wide) {
        Quantize<int16_t>(target, args, row, x);
      } else {
        Quantize<uint8_t>(target, args, row, x);
      }
    }
  }
}

namespace portable {
void Tile8Here(const TileArgs& args) { Tile8(args); }
void Tile16Here(const TileArgs& args) { Tile16(args); }
void Depthwise8Here(const DepthwiseArgs& args) { Depthwise8(args); }
void EpilogueHere(const EpilogueArgs& args) { RunEpilogue(args); }
constexpr Kernels kKernels = {WeightFormat::kBytes, Tile8Here, Tile16Here, Depthwise8Here,
                              EpilogueHere};
}  // namespace portable

#if defined(__x86_64__)
[[gnu::target("avx2")]] void Depthwise8Avx2(const DepthwiseArgs& args) { Depthwise8(args); }
[[gnu::target("avx2")]] void EpilogueAvx2(const EpilogueArgs& args) { RunEpilogue(args); }
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")]] void OtherEpilogue(
    const EpilogueArgs& args) {
  RunEpilogue(args);
}
void EpilogueAvx512(const EpilogueArgs& args) {
  if (!avx512::Epilogue(args)) OtherEpilogue(args);
}
constexpr Kernels kAvx2Kernels = {WeightFormat::kPairs, avx2::Tile8, avx2::Tile16, Depthwise8Avx2,
                                  EpilogueAvx2};
constexpr Kernels kAvx512Kernels = {WeightFormat::kBytes, avx512::Tile8, avx512::Tile16,
                                    avx512::Depthwise8, EpilogueAvx512};
#endif

}  // namespace

const Kernels& KernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) return kAvx2Kernels;
  if (isa == Isa::kAvx512Vnni) return kAvx512Kernels;
#endif
  return portable::kKernels;
}

}  // namespace lathe::runtime::integer
