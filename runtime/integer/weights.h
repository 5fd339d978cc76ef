// Weights of a layer, checked, summed up and laid out for a kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lathe/runtime/integer/kernels.h"
#include "lathe/runtime/integer/tensor.h"

namespace lathe::runtime::integer {

// Integer weights as [groups][columns][taps][depth]: the columns of a group are its output
// channels, depth its input channels. Values are q_w - offset_w and need 9 bits at most.
struct LayerWeights {
  size_t groups = 1;
  // The groups are a stack of matrices, of which each row of the input meets one: all have the same
  // input and output channels.
  bool stacked = false;
  size_t columns = 0;
  size_t taps = 1;
  size_t depth = 0;
  std::vector<int16_t> values;
  // One a column of all groups; zeros where the layer has none.
  std::vector<int32_t> bias;
  // What is added besides, [rows][columns]: the bias of a Gemm may differ from row to row. Mostly
  // empty; only with one group.
  std::vector<int32_t> row_bias;

  size_t total_columns() const { return groups * columns; }
  size_t output_channels() const { return stacked ? columns : total_columns(); }
};

// How the sums of a layer are kept.
enum class Accumulator : uint8_t {
  kInt32,  // no sum can leave int32, whatever the input
  kInt64,  // some could: added up in 64 bits, then clipped
};

// The largest |sum| that the layer can give, bias included: per column, the sum of |w| times the
// largest |q - offset|.
uint64_t LargestSum(const LayerWeights& weights, const QuantParams& quant);

// int64 when LargestSum exceeds int32, or a weight needs 9 bits, which no fast kernel takes.
Accumulator ChooseAccumulator(const LayerWeights& weights, const QuantParams& quant);

struct FreeBytes {
  void operator()(std::byte* bytes) const;
};
// Zeros at an address that is a multiple of 64.
using AlignedBytes = std::unique_ptr<std::byte[], FreeBytes>;
AlignedBytes AllocateAligned(size_t size);

struct PackedWeights {
  AlignedBytes bytes;
  // Groups of the kernel (TileArgs::groups) a tap.
  size_t depth_groups = 0;
  size_t panel_bytes = 0;
  // Panels a group of the layer.
  size_t panels = 0;
  const std::byte* Panel(size_t group, size_t panel) const {
    return bytes.get() + (group * panels + panel) * panel_bytes;
  }
};

// For tile8 (input is kInt8), tile16 (kInt16) or, when wide, TileWide.
PackedWeights PackForTiles(const LayerWeights& weights, Element input, Accumulator accumulator,
                           WeightFormat format8);

// For depthwise8: groups are channels, one column and depth 1 each; padded to 16 channels.
AlignedBytes PackForDepthwise(const LayerWeights& weights);

// What is added to a layer's sums: the bias, minus what the stored input is too large by, times the
// sum of the column's weights: stored values are q + 128 (kInt8) or q (kInt16), and layers work on
// q - offset. `row_bias` is not in it.
std::vector<int64_t> Corrections(const LayerWeights& weights, const QuantParams& quant,
                                 Element input);

// sums[r][c] as TileArgs says, in 64 bits. Weights are int16 [16 columns][2] a group, rows uint8 or
// int16.
void TileWide(const TileArgs& args, Element input, int64_t* sums);

}  // namespace lathe::runtime::integer
