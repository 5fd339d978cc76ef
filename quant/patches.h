// What the weights of a layer meet: for each place of the output the patch of the input that it is
// computed from.
#pragma once

#include <cstdint>
#include <span>

namespace lathe::quant {

// A convolution over two axes, transposed or not, or a matrix product (a convolution of 1x1 over
// the rows of each sample, `channels_last`).
struct LayerShape {
  int64_t samples = 1;
  int64_t groups = 1;
  // Of one group.
  int64_t cin = 1;
  int64_t cout = 1;
  int64_t in_h = 1, in_w = 1;
  int64_t out_h = 1, out_w = 1;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;
  bool transposed = false;
  // Inputs and outputs are [samples, positions, channels], else [samples, channels, positions].
  bool channels_last = false;

  // Of the weights [groups * cout, patch].
  int64_t patch() const { return cin * kernel_h * kernel_w; }
  int64_t out_positions() const { return out_h * out_w; }
};

// Of the weights [groups * cout, patch]: the row'th weight of each output channel of a group.
struct PatchRow {
  int64_t group = 0;
  int64_t row = 0;
};

// Output positions (y, x), (y, x + 1), ... of a sample.
struct PatchRun {
  int64_t sample = 0;
  int64_t y = 0;
  int64_t x = 0;
  int64_t count = 0;
};

// out[i] is the input value that the weight meets at the i'th of these positions, 0 outside the
// input. The run ends within its row of the output.
void FillPatchRun(const LayerShape& shape, std::span<const float> input, const PatchRow& patch_row,
                  const PatchRun& run, float* out);

}  // namespace lathe::quant
