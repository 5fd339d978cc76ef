// NumPy arrays as tensors and back, without copies where both lay the elements out alike.
#pragma once

#include <nanobind/nanobind.h>

#include "lathe/ir/tensor.h"

namespace lathe::python {

namespace nb = nanobind;

// The tensor shares the array's memory and keeps the array alive. Copied are: arrays that are not
// in C order, of the other byte order, of strings, and of types of fewer than 8 bits, which NumPy
// does not pack. Anything else that numpy.asarray takes is made an array first. Throws: an element
// type that ONNX does not have.
ir::Tensor ToTensor(nb::handle array);

// A read-only array that shares the tensor's memory. Copied are strings (an array of str, of bytes
// where they are no UTF-8) and types of fewer than 8 bits. Types that NumPy lacks (bfloat16, 8-bit
// floats, 4-bit integers) are those of the package ml_dtypes. Throws: it is missing; a mapped file
// was shortened.
nb::object ToArray(const ir::Tensor& tensor);

}  // namespace lathe::python
