// Convolutions, transposed convolutions and matrix products, as products of gathered rows with
// packed weights.
#pragma once

#include <memory>

#include "lathe/runtime/integer/step.h"
#include "lathe/runtime/integer/weights.h"
#include "lathe/runtime/integer/window.h"

namespace lathe::runtime::integer {

struct MatrixLayer {
  TensorId input = 0;
  // Shape of the results (of its rows and channels; the epilogue says where they go).
  TensorInfo result;
  Window window;
  Accumulator accumulator = Accumulator::kInt32;
};

// The layer's steps end with `epilogue`, whose bias this fills in. `input` is the input tensor.
// One channel in and out a group with 8-bit input becomes a depthwise step.
std::unique_ptr<Step> MakeMatrixStep(MatrixLayer layer, const LayerWeights& weights,
                                     const TensorInfo& input, const Kernels& kernels,
                                     std::shared_ptr<Epilogue> epilogue);

}  // namespace lathe::runtime::integer
