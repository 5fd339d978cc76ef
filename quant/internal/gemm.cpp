#include "lathe/quant/internal/gemm.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lathe::quant::internal {
namespace {

// Columns of a panel: two vectors of the widest kernel. Rows that a kernel computes at once.
constexpr size_t kWidth = 32;
constexpr size_t kRows = 6;
constexpr size_t kAlignment = 64;

// Rows [0, kRows) or one row of a panel: c = or += a * panel.
using TileFunction = void (*)(const float* a, size_t row, size_t column, const float* panel,
                              size_t k, float* c, size_t ldc, bool accumulate);

struct Kernel {
  TileFunction rows;
  TileFunction row;
};

// The kernel as it is compiled for one instruction set; `Vector` is its register, `parts` of them
// make up the columns that are computed at once. Memory is read and written by copies, which become
// single instructions, because it has the alignment of a float only.
// The sums stay in registers only when these loops are written out.
#define LATHE_UNROLL _Pragma("GCC unroll 8")
#define LATHE_DEFINE_TILE(name, target, Vector, parts, count)                               \
  target void name(const float* a, size_t row, size_t column, const float* panel, size_t k, \
                   float* c, size_t ldc, bool accumulate) {                                 \
    constexpr size_t kLanes = sizeof(Vector) / sizeof(float);                               \
    for (size_t part = 0; part < kWidth; part += (parts)*kLanes) {                          \
      Vector sums[count][parts] = {};                                                       \
      for (size_t step = 0; step < k; ++step) {                                             \
        Vector b[parts];                                                                    \
        std::memcpy(b, panel + step * kWidth + part, sizeof(b));                            \
        LATHE_UNROLL                                                                        \
        for (size_t i = 0; i < (count); ++i) {                                              \
          const float x = a[i * row + step * column];                                       \
          LATHE_UNROLL                                                                      \
          for (size_t j = 0; j < (parts); ++j) sums[i][j] += x * b[j];                      \
        }                                                                                   \
      }                                                                                     \
      LATHE_UNROLL                                                                          \
      for (size_t i = 0; i < (count); ++i) {                                                \
        Vector old[parts] = {};                                                             \
        float* out = c + i * ldc + part;                                                    \
        if (accumulate) std::memcpy(old, out, sizeof(old));                                 \
        LATHE_UNROLL                                                                        \
        for (size_t j = 0; j < (parts); ++j) old[j] += sums[i][j];                          \
        std::memcpy(out, old, sizeof(old));                                                 \
      }                                                                                     \
    }                                                                                       \
  }

using Vector4 [[gnu::vector_size(16)]] = float;
using Vector8 [[gnu::vector_size(32)]] = float;
using Vector16 [[gnu::vector_size(64)]] = float;

LATHE_DEFINE_TILE(PortableRows, , Vector4, 2, kRows)
LATHE_DEFINE_TILE(PortableRow, , Vector4, 2, 1)
#if defined(__x86_64__)
LATHE_DEFINE_TILE(Avx2Rows, [[gnu::target("avx2,fma")]], Vector8, 2, kRows)
LATHE_DEFINE_TILE(Avx2Row, [[gnu::target("avx2,fma")]], Vector8, 2, 1)
LATHE_DEFINE_TILE(Avx512Rows, [[gnu::target("avx512f")]], Vector16, 2, kRows)
LATHE_DEFINE_TILE(Avx512Row, [[gnu::target("avx512f")]], Vector16, 2, 1)
#endif

const Kernel& BestKernel() {
  static const Kernel kernel = [] {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return Kernel{Avx512Rows, Avx512Row};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      return Kernel{Avx2Rows, Avx2Row};
    }
#endif
    return Kernel{PortableRows, PortableRow};
  }();
  return kernel;
}

}  // namespace

void PackedMatrix::Reset(size_t k, size_t n) {
  if (k == k_ && n == n_) return;  // what is set is set anew, the padding stays
  k_ = k;
  n_ = n;
  stride_ = k * kWidth;
  storage_.assign((n + kWidth - 1) / kWidth * stride_ + kAlignment / sizeof(float), 0.0f);
  const auto address = reinterpret_cast<uintptr_t>(storage_.data());
  const uintptr_t aligned = (address + kAlignment - 1) / kAlignment * kAlignment;
  panels_ = storage_.data() + (aligned - address) / sizeof(float);
}

void PackedMatrix::Set(size_t k, size_t n, float value) {
  panels_[n / kWidth * stride_ + k * kWidth + n % kWidth] = value;
}

void PackedMatrix::Pack(size_t k, size_t n, const MatrixView& b) {
  Reset(k, n);
  float* out = panels_;
  for (size_t first = 0; first < n; first += kWidth) {
    const size_t width = std::min(kWidth, n - first);
    for (size_t step = 0; step < k; ++step, out += kWidth) {
      const float* in = b.data + step * b.row + first * b.column;
      for (size_t j = 0; j < width; ++j) out[j] = in[j * b.column];
    }
  }
}

void Multiply(size_t m, const MatrixView& a, const PackedMatrix& b, float* c, size_t ldc,
              bool accumulate, size_t first, size_t count) {
  const Kernel& kernel = BestKernel();
  const float* panel = b.panels_ + first * kWidth;
  for (size_t column = 0; column < b.n_; column += kWidth, panel += b.stride_) {
    const size_t width = std::min(kWidth, b.n_ - column);
    for (size_t i = 0; i < m;) {
      const size_t rows = i + kRows <= m ? kRows : 1;
      const TileFunction tile = rows == kRows ? kernel.rows : kernel.row;
      float* out = c + i * ldc + column;
      const float* in = a.data + i * a.row;
      if (width == kWidth) {
        tile(in, a.row, a.column, panel, count, out, ldc, accumulate);
      } else {
        float edge[kRows * kWidth];
        tile(in, a.row, a.column, panel, count, edge, kWidth, false);
        for (size_t r = 0; r < rows; ++r) {
          for (size_t j = 0; j < width; ++j) {
            float& element = out[r * ldc + j];
            element = accumulate ? element + edge[r * kWidth + j] : edge[r * kWidth + j];
          }
        }
      }
      i += rows;
    }
  }
}

}  // namespace lathe::quant::internal
