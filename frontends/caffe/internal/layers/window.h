// Kernel, stride, padding and dilation of layers that slide a window.
#pragma once

#include "lathe/frontends/caffe/internal/layer_builder.h"

namespace lathe::frontends::caffe {

// One entry an axis.
struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> stride;
  std::vector<int64_t> pad;
  std::vector<int64_t> dilation;

  // What the window covers along an axis: dilation · (kernel - 1) + 1.
  int64_t Extent(size_t axis) const { return dilation[axis] * (kernel[axis] - 1) + 1; }
  // ONNX's pads: the same at both ends.
  std::vector<int64_t> SymmetricPads() const;
};

// Of a convolution over `axes` axes. Errors: no kernel, a kernel or stride of 0, another number of
// entries than axes, both forms of one parameter, values beyond 2^31 - 1.
StatusOr<Window> ConvolutionWindow(const proto::ConvolutionParameter& param, size_t axes);

// Of a pooling, which has two axes and no dilation.
StatusOr<Window> PoolingWindow(const proto::PoolingParameter& param);

}  // namespace lathe::frontends::caffe
