#include "lathe/runtime/integer/window.h"

#include <limits>
#include <utility>

namespace lathe::runtime::integer {
namespace {

void FillIndex(WindowAxis& axis) {
  axis.index.resize(static_cast<size_t>(axis.out * axis.taps));
  for (int64_t o = 0; o < axis.out; ++o) {
    for (int64_t tap = 0; tap < axis.taps; ++tap) {
      int64_t at = -1;
      if (axis.transposed) {
        const int64_t reached = o + axis.pad_begin - tap * axis.dilation;
        if (reached >= 0 && reached % axis.stride == 0) at = reached / axis.stride;
      } else {
        at = o * axis.stride - axis.pad_begin + tap * axis.dilation;
      }
      const bool inside = at >= 0 && at < axis.in;
      axis.index[static_cast<size_t>(o * axis.taps + tap)] = inside ? static_cast<int32_t>(at) : -1;
    }
  }
}

}  // namespace

StatusOr<Window> Window::Make(std::vector<WindowAxis> axes) {
  Window window;
  // Keeps every product below far from 2^63.
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();
  for (WindowAxis& axis : axes) {
    for (const int64_t value :
         {axis.in, axis.out, axis.taps, axis.stride, axis.dilation, axis.pad_begin, axis.pad_end}) {
      if (value < 0 || value >= kLargest) return InvalidInput("a window has extent {}", value);
    }
    if (axis.stride < 1 || axis.dilation < 1) {
      return InvalidInput("stride {} and dilation {} must be positive", axis.stride, axis.dilation);
    }
    constexpr int64_t kMostEntries = int64_t{1} << 28;
    if (axis.taps > 0 && axis.out > kMostEntries / axis.taps) {
      return InvalidInput("a window of {} reaches {} outputs: too large", axis.taps, axis.out);
    }
    FillIndex(axis);
    window.taps_ *= static_cast<size_t>(axis.taps);
    window.in_rows_ *= static_cast<size_t>(axis.in);
    window.out_rows_ *= static_cast<size_t>(axis.out);
    window.identity_ = window.identity_ && axis.taps == 1 && axis.stride == 1 &&
                       axis.pad_begin == 0 && axis.in == axis.out;
  }
  window.axes_ = std::move(axes);
  return window;
}

void Window::Rows(size_t row, int64_t* inputs) const {
  const size_t sample = row / out_rows_;
  size_t place = row % out_rows_;
  inputs[0] = static_cast<int64_t>(sample);
  // The place on each axis, outermost first; the rows of the axes so far, widened axis by axis.
  size_t rest = out_rows_;
  size_t known = 1;
  for (const WindowAxis& axis : axes_) {
    rest /= static_cast<size_t>(axis.out);
    const int32_t* index = axis.index.data() + place / rest * static_cast<size_t>(axis.taps);
    place %= rest;
    const auto taps = static_cast<size_t>(axis.taps);
    // From the back, so that no entry is overwritten before it is read.
    for (size_t i = known; i-- > 0;) {
      const int64_t outer = inputs[i];
      for (size_t tap = taps; tap-- > 0;) {
        inputs[i * taps + tap] = outer < 0 || index[tap] < 0 ? -1 : outer * axis.in + index[tap];
      }
    }
    known *= taps;
  }
}

}  // namespace lathe::runtime::integer
