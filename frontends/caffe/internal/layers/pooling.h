// Caffe's pooling as ONNX's, for layers that pool.
#pragma once

#include "lathe/frontends/caffe/internal/layers/window.h"

namespace lathe::frontends::caffe {

// How Caffe lays windows over an axis: out = ceil((in + 2·pad - kernel) / stride) + 1 (or floor),
// one less where the last window would start in the padding (the reference's 7.3).
struct PoolGeometry {
  Window window;
  // Extents of the result.
  std::vector<int64_t> out;
  // How far the last window reaches beyond the padded input.
  std::vector<int64_t> beyond;

  bool reaches_beyond() const;
  bool is_padded() const;
  // ONNX's pads with the ends long enough for the last windows.
  std::vector<int64_t> PadsWithEnds() const;
};

// `sizes`: the two extents. Errors: a kernel larger than the padded input, padding as large as the
// kernel, windows that see nothing.
StatusOr<PoolGeometry> LayPoolWindows(const Window& window, std::span<const int64_t> sizes,
                                      bool round_up);

// The maximum; values in the padding do not count.
Op MaxPool(ir::Value* value, const PoolGeometry& geometry);
// Means over windows; the divisor counts padding, but not what lies beyond it. Where both occur the
// padding becomes a node of its own ("LAYER/pad").
Op AveragePool(LayerBuilder& builder, ir::Value* value, const PoolGeometry& geometry);

}  // namespace lathe::frontends::caffe
