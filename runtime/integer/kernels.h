// The inner loops, one set for each instruction set. All sets give the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lathe/runtime/integer/isa.h"

namespace lathe::runtime::integer {

// Columns of a weight panel: the int32 of one vector of 512 bits.
inline constexpr size_t kPanel = 16;
// A tile of a matrix product: so many rows, and at most so many panels.
inline constexpr size_t kTileRows = 6;
inline constexpr size_t kTilePanels = 4;
inline constexpr size_t kTileColumns = kPanel * kTilePanels;

// How a kernel wants the 8-bit weights of a panel, a group of four along the depth at a time.
enum class WeightFormat : uint8_t {
  kBytes,  // int8 [16 columns][4]
  kPairs,  // int16 [2][16 columns][2]: first (w0, w2) of every column, then (w1, w3)
};

// sums[r][c] = sum over taps and depth of rows[tap][r][k] * weights[tap][k][c], modulo 2^32.
struct TileArgs {
  // [taps][kTileRows]; where a row's channels begin.
  const std::byte* const* rows = nullptr;
  size_t taps = 0;
  // Groups along the depth for each tap: of four (8 bits), of two (16 bits).
  size_t groups = 0;
  const std::byte* weights = nullptr;
  // From a panel to the next.
  size_t panel_bytes = 0;
  size_t panels = 0;
  // [kTileRows][kTileColumns].
  int32_t* sums = nullptr;
};

// sums[r][c] = sum over taps of rows[r][tap][c] * weights[tap][c], modulo 2^32.
struct DepthwiseArgs {
  // [num_rows][taps]; where a row's channel 0 stands.
  const std::byte* const* rows = nullptr;
  size_t num_rows = 0;
  size_t taps = 0;
  size_t first_channel = 0;
  // A multiple of 16, at most kTileColumns.
  size_t channels = 0;
  // Of first_channel: [channels / 16][ceil(taps / 4)][16][4].
  const int8_t* weights = nullptr;
  // [num_rows][kTileColumns].
  int32_t* sums = nullptr;
};

struct ElementOp {
  enum class Kind : uint8_t {
    kAddTensor,    // + tensor
    kMulTensor,    // * tensor
    kAddChannels,  // + values[c]
    kMulChannels,  // * values[c]
    kClamp,        // low where x < low, high where x > high; NaN stays
    kLeaky,        // x < 0 ? x * low : x
    kHalf,         // to float16 and back
  };
  Kind kind = Kind::kClamp;
  float low = 0;
  float high = 0;
  const float* values = nullptr;
  // The tensor's element for the first row and channel of the whole result.
  const float* tensor = nullptr;
};

struct QuantTarget {
  void* data = nullptr;
  size_t stride = 0;
  float scale = 1.0f;
  // Bounds of rint(x * scale), and what is added then.
  float low = 0;
  float high = 0;
  int32_t add = 0;
  bool wide = false;  // int16 instead of uint8
};

// What happens to each element of a layer's result. Channel arrays begin at channel 0.
struct EpilogueArgs {
  // One of the two.
  const int32_t* sums = nullptr;
  const float* floats = nullptr;
  size_t source_stride = 0;

  // Of sums: x = float(sum + bias[c]) * scale[c], or with shifts
  // x = float(clamp16((sum + bias[c]) >> shift[c])) * scale[c] * 2^shift[c].
  const int32_t* bias = nullptr;
  const float* scale = nullptr;
  const int32_t* shift = nullptr;
  const float* shift_scale = nullptr;

  const ElementOp* ops = nullptr;
  size_t num_ops = 0;

  // Results; strides in elements. int32: sum + bias[c], nothing else happens.
  int32_t* sums_out = nullptr;
  float* floats_out = nullptr;
  const QuantTarget* quants = nullptr;
  size_t num_quants = 0;
  // Of floats_out, sums_out and the operands of ops.
  size_t stride = 0;

  // Which part: results and operands are found from these, the source begins at first_row and
  // first_channel itself.
  size_t first_row = 0;
  size_t num_rows = 0;
  size_t first_channel = 0;
  size_t num_channels = 0;  // at most kTileColumns
};

struct Kernels {
  WeightFormat format8;
  void (*tile8)(const TileArgs&);   // uint8 rows
  void (*tile16)(const TileArgs&);  // int16 rows; weights int16 [16 columns][2] a group
  void (*depthwise8)(const DepthwiseArgs&);
  void (*epilogue)(const EpilogueArgs&);
};

// Must be available.
const Kernels& KernelsFor(Isa isa);

// The parts that are written with intrinsics.
namespace avx2 {
void Tile8(const TileArgs& args);
void Tile16(const TileArgs& args);
}  // namespace avx2
namespace avx512 {
void Tile8(const TileArgs& args);
void Tile16(const TileArgs& args);
void Depthwise8(const DepthwiseArgs& args);
// False, and nothing done, for a form that it does not know.
bool Epilogue(const EpilogueArgs& args);
}  // namespace avx512

}  // namespace lathe::runtime::integer
