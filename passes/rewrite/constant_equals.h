// Questions about the numbers in a constant, as patterns ask them.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/ir/tensor.h"

namespace lathe::passes {

// The tensor has elements and every one is `number` as its type has it, bit by bit (0.0 is not
// -0.0). False for strings, complex numbers, types of less than 8 bits and 8-bit floats, for
// numbers that the type does not have exactly, and when the data cannot be read. O(elements)
// without a copy; stops at the first that differs.
bool AllElementsEqual(const ir::Tensor& tensor, double number);

// The elements are integers (or bool), and these. O(elements).
bool ElementsEqual(const ir::Tensor& tensor, std::span<const int64_t> numbers);

}  // namespace lathe::passes
