// Constants that a model holds in integers, or rounds.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/quant/qdq_parameters.h"

namespace lathe::passes {

// A constant in integers.
struct QdqConstant {
  std::vector<int64_t> dims;
  // Unsigned ones are shifted down by half their range, and so are the zero points.
  std::vector<int32_t> integers;
  int bits = 8;
  // One, or one an index of `axis`; as many zero points.
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  int64_t axis = 0;

  bool symmetric() const;
  // (integer - zero) * scale, in float32.
  std::vector<float> Reals() const;
};

// The constant that `value` is: DequantizeLinear of integers, or of a constant that QuantizeLinear
// and Clip turn into some, behind any number of Transpose nodes. Refused: everything else, as
// FindQdqPair does. O(elements).
std::variant<QdqConstant, QdqRefusal> ReadQdqConstant(const ir::Value& value);

// Whether a value is such a constant, refused or not: it comes from a DequantizeLinear of
// constants. O(length of the chain).
bool IsQdqConstant(const ir::Value& value);

}  // namespace lathe::passes
