#include "lathe/ir/element_type.h"

#include <array>

namespace lathe::ir {
namespace {

struct Info {
  std::string_view name;
  int bits;
};

// Indexed by ONNX's number.
constexpr std::array<Info, kLastElementType + 1> kInfo = {{
    {"undefined", 0},  {"f32", 32},  {"u8", 8},       {"i8", 8},         {"u16", 16},
    {"i16", 16},       {"i32", 32},  {"i64", 64},     {"str", 0},        {"bool", 8},
    {"f16", 16},       {"f64", 64},  {"u32", 32},     {"u64", 64},       {"c64", 64},
    {"c128", 128},     {"bf16", 16}, {"f8e4m3fn", 8}, {"f8e4m3fnuz", 8}, {"f8e5m2", 8},
    {"f8e5m2fnuz", 8}, {"u4", 4},    {"i4", 4},       {"f4e2m1", 4},     {"f8e8m0", 8},
    {"u2", 2},         {"i2", 2},    {"f6e2m3", 6},   {"f6e3m2", 6},
}};

}  // namespace

std::string_view ElementTypeName(ElementType type) { return kInfo[static_cast<size_t>(type)].name; }

std::optional<ElementType> ParseElementType(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<ElementType>(i);
  }
  return std::nullopt;
}

std::optional<ElementType> ElementTypeFromOnnx(int64_t number) {
  if (number < 0 || number > kLastElementType) return std::nullopt;
  return static_cast<ElementType>(number);
}

int ElementBits(ElementType type) { return kInfo[static_cast<size_t>(type)].bits; }

bool IsFloatingPoint(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
    case ElementType::kFloat16:
    case ElementType::kFloat64:
    case ElementType::kBfloat16:
    case ElementType::kFloat8E4M3FN:
    case ElementType::kFloat8E4M3FNUZ:
    case ElementType::kFloat8E5M2:
    case ElementType::kFloat8E5M2FNUZ:
    case ElementType::kFloat4E2M1:
    case ElementType::kFloat8E8M0:
    case ElementType::kFloat6E2M3:
    case ElementType::kFloat6E3M2:
      return true;
    default:
      return false;
  }
}

bool IsInteger(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
    case ElementType::kInt8:
    case ElementType::kUint16:
    case ElementType::kInt16:
    case ElementType::kInt32:
    case ElementType::kInt64:
    case ElementType::kUint32:
    case ElementType::kUint64:
    case ElementType::kUint4:
    case ElementType::kInt4:
    case ElementType::kUint2:
    case ElementType::kInt2:
      return true;
    default:
      return false;
  }
}

}  // namespace lathe::ir
