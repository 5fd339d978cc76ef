// Which inputs a convolution or pooling window reads, one spatial axis at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lathe/support/status.h"

namespace lathe::runtime::integer {

struct WindowAxis {
  int64_t in = 1;
  int64_t out = 1;
  int64_t taps = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;
  // A ConvTranspose's: input i reaches output i * stride - pad_begin + tap * dilation.
  bool transposed = false;
  // [out][taps]: the input that the tap reads, -1 outside.
  std::vector<int32_t> index;
};

// All spatial axes of a window over [batch][in...] rows.
class Window {
 public:
  // Errors: an extent of 2^31 or more.
  static StatusOr<Window> Make(std::vector<WindowAxis> axes);

  const std::vector<WindowAxis>& axes() const { return axes_; }
  size_t taps() const { return taps_; }
  size_t in_rows() const { return in_rows_; }
  size_t out_rows() const { return out_rows_; }
  // Every output row reads just the input row of the same number.
  bool identity() const { return identity_; }

  // For output row `row` (batch included): the input row that each tap reads, -1 outside. O(taps).
  void Rows(size_t row, int64_t* inputs) const;

 private:
  std::vector<WindowAxis> axes_;
  size_t taps_ = 1;
  size_t in_rows_ = 1;
  size_t out_rows_ = 1;
  bool identity_ = true;
};

}  // namespace lathe::runtime::integer
