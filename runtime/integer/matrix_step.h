// Convolutions, transposed convolutions and matrix products, as products of gathered rows with
// packed weights.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lathe/runtime/integer/step.h"
#include "lathe/runtime/integer/weights.h"
#include "lathe/runtime/integer/window.h"

namespace lathe::runtime::integer {

// Of a product with stacked weights: the rows of the result that meet one matrix.
struct MatrixSegment {
  size_t first_input_row = 0;
  // Position in the stack.
  size_t matrix = 0;
};

struct MatrixLayer {
  TensorId input = 0;
  // Shape of the results (of its rows and channels; the epilogue says where they go).
  TensorInfo result;
  Window window;
  Accumulator accumulator = Accumulator::kInt32;
  // One after the other they make the result's rows, each the same number of them. Empty for
  // weights that are not stacked.
  std::vector<MatrixSegment> segments;
};

// The layer's steps end with `epilogue`, whose bias this fills in. `input` is the input tensor.
// One channel in and out a group with 8-bit input becomes a depthwise step.
std::unique_ptr<Step> MakeMatrixStep(MatrixLayer layer, const LayerWeights& weights,
                                     const TensorInfo& input, const Kernels& kernels,
                                     std::shared_ptr<Epilogue> epilogue);

}  // namespace lathe::runtime::integer
