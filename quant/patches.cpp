#include "lathe/quant/patches.h"

#include <algorithm>

namespace lathe::quant {

void FillPatchRun(const LayerShape& s, std::span<const float> input, const PatchRow& patch_row,
                  const PatchRun& run, float* out) {
  const auto [group, row] = patch_row;
  const auto [sample, y, x, count] = run;
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t channel = group * s.cin + row / taps;
  const int64_t channels = s.groups * s.cin;
  const int64_t area = s.in_h * s.in_w;
  if (s.channels_last) {
    const float* in = input.data() + (sample * area + y * s.in_w + x) * channels + channel;
    for (int64_t i = 0; i < count; ++i) out[i] = in[i * channels];
    return;
  }
  const float* plane = input.data() + (sample * channels + channel) * area;
  const int64_t offset_y = row % taps / s.kernel_w * s.dilation_h;
  const int64_t offset_x = row % s.kernel_w * s.dilation_w;
  if (s.transposed) {
    const int64_t from_y = y + s.pad_top - offset_y;
    const bool row_inside = from_y >= 0 && from_y % s.stride_h == 0 && from_y / s.stride_h < s.in_h;
    const float* in = plane + (row_inside ? from_y / s.stride_h * s.in_w : 0);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t from_x = x + i + s.pad_left - offset_x;
      const bool inside =
          row_inside && from_x >= 0 && from_x % s.stride_w == 0 && from_x / s.stride_w < s.in_w;
      out[i] = inside ? in[from_x / s.stride_w] : 0.0f;
    }
    return;
  }
  const int64_t in_y = y * s.stride_h - s.pad_top + offset_y;
  if (in_y < 0 || in_y >= s.in_h) {
    std::fill(out, out + count, 0.0f);
    return;
  }
  const float* in = plane + in_y * s.in_w;
  const int64_t first = x * s.stride_w - s.pad_left + offset_x;
  if (s.stride_w == 1) {
    const int64_t before = std::clamp<int64_t>(-first, 0, count);
    const int64_t end = std::clamp<int64_t>(s.in_w - first, before, count);
    std::fill(out, out + before, 0.0f);
    std::copy(in + first + before, in + first + end, out + before);
    std::fill(out + end, out + count, 0.0f);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t in_x = first + i * s.stride_w;
    out[i] = in_x >= 0 && in_x < s.in_w ? in[in_x] : 0.0f;
  }
}

}  // namespace lathe::quant
