// Questions about the elements of constants.
#pragma once

#include <optional>

#include "lathe/ir/value.h"

namespace lathe::passes {

enum class Element {
  kZero,          // of floats +0.0
  kNegativeZero,  // of floats -0.0; of integers 0
  kOne,
  kAllBitsSet,  // of integers
  kLowest,      // -infinity, or the smallest integer
  kHighest,     // infinity, or the largest integer
};

// Whether every element has exactly this value: float32, float64, float16, bfloat16, bool and
// integers of at least 8 bits; false for other types (and where the type has no such value) and for
// data that cannot be read. A tensor without elements has it. O(elements), up to the first other.
bool AllElementsAre(const ir::Tensor& tensor, Element element);

// The number that a constant of one element holds; nothing when it is empty, has more elements, is
// no number or one that double would round.
std::optional<double> SingleNumber(const ir::Tensor& tensor);

}  // namespace lathe::passes
