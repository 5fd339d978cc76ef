// Element types of tensors. The numbers are ONNX's TensorProto.DataType, so that no table is
// needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe::ir {

enum class ElementType : uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
  kFloat6E2M3 = 27,
  kFloat6E3M2 = 28,
};

inline constexpr int kLastElementType = 28;

// Short lower-case name ("f32", "i8", "bf16", "str"), used by the text form.
std::string_view ElementTypeName(ElementType type);
std::optional<ElementType> ParseElementType(std::string_view name);

// The type for an ONNX number, or nothing if ONNX has no such type.
std::optional<ElementType> ElementTypeFromOnnx(int64_t number);

// Bits an element takes in storage; 0 for strings and for the undefined type. Elements of fewer
// than 8 bits are packed, the first in the low bits.
int ElementBits(ElementType type);

// Bytes that `count` elements take. The product must not overflow (see CheckedByteSize in
// tensor.h).
inline size_t ElementBytes(ElementType type, size_t count) {
  return (count * static_cast<size_t>(ElementBits(type)) + 7) / 8;
}

bool IsFloatingPoint(ElementType type);
bool IsInteger(ElementType type);

}  // namespace lathe::ir
