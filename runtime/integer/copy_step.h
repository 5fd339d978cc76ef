// Steps that move elements without computing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lathe/ir/element_type.h"
#include "lathe/runtime/integer/step.h"

namespace lathe::runtime::integer {

// Walks a box of `dims`: element i0, i1, ... goes from the sum of i * from to the sum of i * to.
// Distances count elements. `from_start`, `to_start`: where element 0, 0, ... stands.
struct CopyPlan {
  std::vector<int64_t> dims;
  std::vector<int64_t> from;
  std::vector<int64_t> to;
  int64_t from_start = 0;
  int64_t to_start = 0;
};

// From a dense array of the caller, input `input` of the program, of type float32 or float16, to a
// tensor of floats.
std::unique_ptr<Step> MakeImportStep(size_t input, ir::ElementType type, TensorId to,
                                     const TensorInfo& info);

// From a tensor to a dense array of the caller: floats as float32 or float16, quantised elements as
// int8 or int16 q, sums as int32.
std::unique_ptr<Step> MakeExportStep(TensorId from, const TensorInfo& info, size_t output,
                                     ir::ElementType type);

// Between tensors of one element type. `fill`: writes zero (q = offset) everywhere first.
std::unique_ptr<Step> MakeCopyStep(TensorId from, TensorId to, CopyPlan plan, bool fill);

// Distances of a dense row-major array.
std::vector<int64_t> DenseStrides(const std::vector<int64_t>& dims);

}  // namespace lathe::runtime::integer
