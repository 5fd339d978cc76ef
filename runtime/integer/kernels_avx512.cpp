// Tiles with vpdpbusd (four products of an unsigned and a signed byte added to an int32, modulo
// 2^32) and vpdpwssd (two products of int16).
#include "lathe/runtime/integer/kernels.h"

#if defined(__x86_64__)
// False positives of GCC 12 in its own header (PR 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <cstring>
#include <immintrin.h>

#define LATHE_AVX512 [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]]

namespace lathe::runtime::integer::avx512 {
namespace {

LATHE_AVX512 inline __m512i Broadcast(const std::byte* four) {
  int32_t value;
  std::memcpy(&value, four, sizeof(value));
  return _mm512_set1_epi32(value);
}

// Both kinds take groups of four bytes a row and 64 bytes a panel.
template <size_t kPanels, bool kBytes>
LATHE_AVX512 void Tile(const TileArgs& args) {
  __m512i sums[kTileRows][kPanels];
  for (size_t r = 0; r < kTileRows; ++r) {
    for (size_t p = 0; p < kPanels; ++p) sums[r][p] = _mm512_setzero_si512();
  }
  const std::byte* w = args.weights;
  for (size_t tap = 0; tap < args.taps; ++tap) {
    const std::byte* const* rows = args.rows + tap * kTileRows;
    for (size_t g = 0; g < args.groups; ++g, w += 64) {
      __m512i weights[kPanels];
      for (size_t p = 0; p < kPanels; ++p) {
        weights[p] = _mm512_loadu_si512(w + p * args.panel_bytes);
      }
      for (size_t r = 0; r < kTileRows; ++r) {
        const __m512i x = Broadcast(rows[r] + 4 * g);
        for (size_t p = 0; p < kPanels; ++p) {
          if constexpr (kBytes) {
            sums[r][p] = _mm512_dpbusd_epi32(sums[r][p], x, weights[p]);
          } else {
            sums[r][p] = _mm512_dpwssd_epi32(sums[r][p], x, weights[p]);
          }
        }
      }
    }
  }
  for (size_t r = 0; r < kTileRows; ++r) {
    for (size_t p = 0; p < kPanels; ++p) {
      _mm512_storeu_si512(args.sums + r * kTileColumns + p * kPanel, sums[r][p]);
    }
  }
}

template <bool kBytes>
void Dispatch(const TileArgs& args) {
  static_assert(kTilePanels == 4);
  switch (args.panels) {
    case 1:
      return Tile<1, kBytes>(args);
    case 2:
      return Tile<2, kBytes>(args);
    case 3:
      return Tile<3, kBytes>(args);
    default:
      return Tile<4, kBytes>(args);
  }
}

LATHE_AVX512 inline __m128i Load16(const std::byte* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

// The usual epilogues, as bits: where from, what happens, where to.
constexpr unsigned kSums = 1;    // sums + bias, scaled; else floats
constexpr unsigned kAdd = 2;     // then + tensor
constexpr unsigned kClamp = 4;   // then between two bounds
constexpr unsigned kFloats = 8;  // floats are wanted
constexpr unsigned kQuant = 16;  // one tensor of 8 bits is wanted
constexpr unsigned kForms = 32;

template <unsigned kForm>
LATHE_AVX512 void EpilogueForm(const EpilogueArgs& args) {
  const ElementOp* clamp = (kForm & kClamp) != 0 ? args.ops + args.num_ops - 1 : nullptr;
  const __m512 low = _mm512_set1_ps(clamp != nullptr ? clamp->low : 0);
  const __m512 high = _mm512_set1_ps(clamp != nullptr ? clamp->high : 0);
  const QuantTarget quant = (kForm & kQuant) != 0 ? args.quants[0] : QuantTarget{};
  const __m512 quant_scale = _mm512_set1_ps(quant.scale);
  const __m512 quant_low = _mm512_set1_ps(quant.low);
  const __m512 quant_high = _mm512_set1_ps(quant.high);
  const __m512i quant_add = _mm512_set1_epi32(quant.add);
  for (size_t c = 0; c < args.num_channels; c += kPanel) {
    const size_t channel = args.first_channel + c;
    __m512i bias{};
    __m512 scale{};
    if constexpr ((kForm & kSums) != 0) {
      bias = _mm512_loadu_si512(args.bias + channel);
      scale = _mm512_loadu_ps(args.scale + channel);
    }
    for (size_t r = 0; r < args.num_rows; ++r) {
      const size_t row = args.first_row + r;
      const size_t from = r * args.source_stride + c;
      const size_t at = row * args.stride + channel;
      __m512 x;
      if constexpr ((kForm & kSums) != 0) {
        const __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(args.sums + from), bias);
        x = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
      } else {
        x = _mm512_loadu_ps(args.floats + from);
      }
      if constexpr ((kForm & kAdd) != 0) {
        // A form with kAdd has the operand.
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
        x = _mm512_add_ps(x, _mm512_loadu_ps(args.ops[0].tensor + at));
      }
      // Of two operands the second is the result where one is NaN.
      if constexpr ((kForm & kClamp) != 0) x = _mm512_min_ps(high, _mm512_max_ps(low, x));
      if constexpr ((kForm & kFloats) != 0) _mm512_storeu_ps(args.floats_out + at, x);
      if constexpr ((kForm & kQuant) != 0) {
        __m512 q = _mm512_mul_ps(x, quant_scale);
        q = _mm512_min_ps(_mm512_max_ps(q, quant_low), quant_high);
        const __m512i integer = _mm512_add_epi32(_mm512_cvtps_epi32(q), quant_add);
        auto* out = static_cast<uint8_t*>(quant.data) + row * quant.stride + channel;
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(integer));
      }
    }
  }
}

template <size_t... kAll>
constexpr auto MakeForms(std::index_sequence<kAll...>) {
  return std::array<void (*)(const EpilogueArgs&), kForms>{EpilogueForm<kAll>...};
}

}  // namespace

bool Epilogue(const EpilogueArgs& args) {
  static constexpr auto kTable = MakeForms(std::make_index_sequence<kForms>());
  using Kind = ElementOp::Kind;
  if (args.num_channels % kPanel != 0 || args.shift != nullptr || args.sums_out != nullptr ||
      args.num_quants > 1 || args.num_ops > 2) {
    return false;
  }
  unsigned form = args.sums != nullptr ? kSums : 0;
  size_t op = 0;
  if (op < args.num_ops && args.ops[op].kind == Kind::kAddTensor) {
    form |= kAdd;
    ++op;
  }
  if (op < args.num_ops && args.ops[op].kind == Kind::kClamp) {
    form |= kClamp;
    ++op;
  }
  if (op != args.num_ops) return false;
  if (args.floats_out != nullptr) form |= kFloats;
  if (args.num_quants == 1) {
    if (args.quants[0].wide) return false;
    form |= kQuant;
  }
  kTable[form](args);
  return true;
}

void Tile8(const TileArgs& args) { Dispatch<true>(args); }
void Tile16(const TileArgs& args) { Dispatch<false>(args); }

LATHE_AVX512 void Depthwise8(const DepthwiseArgs& args) {
  // Four rows of 16 channels to 16 channels of four taps: first by dwords, then inside lanes.
  const __m512i dwords = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i bytes =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  for (size_t r = 0; r < args.num_rows; ++r) {
    const std::byte* const* rows = args.rows + r * args.taps;
    const int8_t* w = args.weights;
    for (size_t first = 0; first < args.channels; first += kPanel) {
      const size_t channel = args.first_channel + first;
      __m512i sums = _mm512_setzero_si512();
      size_t tap = 0;
      for (; tap + 4 <= args.taps; tap += 4, w += 64) {
        __m512i x = _mm512_castsi128_si512(Load16(rows[tap] + channel));
        x = _mm512_inserti32x4(x, Load16(rows[tap + 1] + channel), 1);
        x = _mm512_inserti32x4(x, Load16(rows[tap + 2] + channel), 2);
        x = _mm512_inserti32x4(x, Load16(rows[tap + 3] + channel), 3);
        x = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(dwords, x), bytes);
        sums = _mm512_dpbusd_epi32(sums, x, _mm512_loadu_si512(w));
      }
      if (tap < args.taps) {
        __m512i x = _mm512_cvtepu8_epi32(Load16(rows[tap] + channel));
        for (size_t i = 1; tap + i < args.taps; ++i) {
          const __m512i next = _mm512_cvtepu8_epi32(Load16(rows[tap + i] + channel));
          const __m128i bits = _mm_cvtsi32_si128(static_cast<int>(8 * i));
          x = _mm512_or_si512(x, _mm512_sll_epi32(next, bits));
        }
        sums = _mm512_dpbusd_epi32(sums, x, _mm512_loadu_si512(w));
        w += 64;
      }
      _mm512_storeu_si512(args.sums + r * kTileColumns + first, sums);
    }
  }
}

}  // namespace lathe::runtime::integer::avx512
#endif
