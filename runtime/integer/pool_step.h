// Average and maximum pooling.
#pragma once

#include <memory>

#include "lathe/runtime/integer/step.h"
#include "lathe/runtime/integer/window.h"

namespace lathe::runtime::integer {

struct PoolLayer {
  TensorId input = 0;
  TensorInfo result;
  Window window;
  // Of an average: whether what lies in the padding counts as an element.
  bool count_padding = false;
};

// float32(sum of the window) / float32(number of elements), divided in float32. The sum is exact
// for quantised inputs (of q - offset) and in double for floats. Then the epilogue.
std::unique_ptr<Step> MakeAveragePoolStep(PoolLayer layer, std::shared_ptr<Epilogue> epilogue);

// The largest element, of floats; then the epilogue.
std::unique_ptr<Step> MakeMaxPoolStep(PoolLayer layer, std::shared_ptr<Epilogue> epilogue);

// The largest element, of a quantised tensor; `output` has the same parameters.
std::unique_ptr<Step> MakeQuantizedMaxPoolStep(PoolLayer layer, TensorId output);

}  // namespace lathe::runtime::integer
