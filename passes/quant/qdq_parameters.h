// What one QuantizeLinear, DequantizeLinear or Clip between the two says: scales, zero points,
// integer types, bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::passes {

bool IsQuantize(const ir::Node& node);
bool IsDequantize(const ir::Node& node);

// Why something is not what was asked for, as a clause.
struct QdqRefusal {
  std::string reason;
};

struct QdqIntegerType {
  int bits = 8;
  bool is_unsigned = false;
  // Taken off integers and zero points, which makes them signed and changes no real value.
  int32_t shift() const { return is_unsigned ? 1 << (bits - 1) : 0; }
  bool operator==(const QdqIntegerType&) const = default;
};

// int4, int8, int16 and their unsigned ones, int32; nothing for others.
std::optional<QdqIntegerType> QdqIntegerTypeOf(ir::ElementType type);

// The elements of an integer tensor, also of 4 bits. O(elements).
StatusOr<std::vector<int64_t>> QdqIntegersOf(const ir::Tensor& tensor);

// Scales and zero points of one end of a pair.
struct QdqParameters {
  std::vector<float> scales;
  // As many, shifted.
  std::vector<int32_t> zeros;
  QdqIntegerType type;
  int64_t axis = 1;
};

// `integers` is the element type of what stands on the integers' side, for a node without a zero
// point. Refused: computed parameters, those of blocks, scales that are not float32 or that have no
// reciprocal, and integers of other types.
std::variant<QdqParameters, QdqRefusal> ReadQdqParameters(const ir::Node& node,
                                                          ir::ElementType integers);

// The integers that a QuantizeLinear makes.
ir::ElementType QuantizedTypeOf(const ir::Node& quantize);

// Bounds of integers.
struct QdqBounds {
  int64_t low = INT64_MIN;
  int64_t high = INT64_MAX;

  int32_t Clamp(int64_t value) const;
};

// Of a Clip; a bound that is absent bounds nothing. Refused: computed ones.
std::variant<QdqBounds, QdqRefusal> ReadQdqBounds(const ir::Node& clip);
// All integers of a type with so many bits, signed.
QdqBounds QdqRangeOf(int bits);

}  // namespace lathe::passes
