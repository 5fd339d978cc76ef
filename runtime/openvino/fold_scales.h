// Products with a constant matrix that are scaled.
#pragma once

#include <openvino/core/model.hpp>

namespace lathe::runtime {

// Multiplies constant matrices with the constant scale behind their MatMul: one for all values, or
// one a column, in float32. The CPU plugin does the same, with the same rounding, but keeps the old
// matrices while it makes its own copies; here each goes when its successor stands. Throws what
// OpenVINO throws.
void FoldScales(const ov::Model& model);

}  // namespace lathe::runtime
