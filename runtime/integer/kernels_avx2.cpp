// Tiles with vpmaddwd: unsigned bytes and weights are widened to 16 bits first, so that no product
// and no sum of two saturates (255 * 128 * 2 fits int32 by far; vpmaddubsw would not).
#include "lathe/runtime/integer/kernels.h"

#if defined(__x86_64__)
#include <cstring>
#include <immintrin.h>

#define LATHE_AVX2 [[gnu::target("avx2")]]

namespace lathe::runtime::integer::avx2 {
namespace {

LATHE_AVX2 inline __m256i Broadcast(const std::byte* four) {
  int32_t value;
  std::memcpy(&value, four, sizeof(value));
  return _mm256_set1_epi32(value);
}

LATHE_AVX2 inline __m256i Load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

LATHE_AVX2 inline void Store(const __m256i (*sums)[2], int32_t* out) {
  for (size_t r = 0; r < kTileRows; ++r) {
    auto* at = reinterpret_cast<__m256i*>(out + r * kTileColumns);
    _mm256_storeu_si256(at, sums[r][0]);
    _mm256_storeu_si256(at + 1, sums[r][1]);
  }
}

}  // namespace

LATHE_AVX2 void Tile8(const TileArgs& args) {
  const __m256i even = _mm256_set1_epi16(0x00ff);
  for (size_t p = 0; p < args.panels; ++p) {
    __m256i sums[kTileRows][2];
    for (auto& row : sums) row[0] = row[1] = _mm256_setzero_si256();
    const std::byte* w = args.weights + p * args.panel_bytes;
    for (size_t tap = 0; tap < args.taps; ++tap) {
      const std::byte* const* rows = args.rows + tap * kTileRows;
      for (size_t g = 0; g < args.groups; ++g, w += 128) {
        const __m256i w0 = Load(w), w1 = Load(w + 32), w2 = Load(w + 64), w3 = Load(w + 96);
        for (size_t r = 0; r < kTileRows; ++r) {
          const __m256i four = Broadcast(rows[r] + 4 * g);
          const __m256i x02 = _mm256_and_si256(four, even);
          const __m256i x13 = _mm256_srli_epi16(four, 8);
          sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(x02, w0));
          sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(x02, w1));
          sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(x13, w2));
          sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(x13, w3));
        }
      }
    }
    Store(sums, args.sums + p * kPanel);
  }
}

LATHE_AVX2 void Tile16(const TileArgs& args) {
  for (size_t p = 0; p < args.panels; ++p) {
    __m256i sums[kTileRows][2];
    for (auto& row : sums) row[0] = row[1] = _mm256_setzero_si256();
    const std::byte* w = args.weights + p * args.panel_bytes;
    for (size_t tap = 0; tap < args.taps; ++tap) {
      const std::byte* const* rows = args.rows + tap * kTileRows;
      for (size_t g = 0; g < args.groups; ++g, w += 64) {
        const __m256i w0 = Load(w), w1 = Load(w + 32);
        for (size_t r = 0; r < kTileRows; ++r) {
          const __m256i two = Broadcast(rows[r] + 4 * g);
          sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(two, w0));
          sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(two, w1));
        }
      }
    }
    Store(sums, args.sums + p * kPanel);
  }
}

}  // namespace lathe::runtime::integer::avx2
#endif
