#include "lathe/ir/text/internal/number_texts.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <fmt/format.h>

#include "lathe/ir/text/internal/literals.h"

namespace lathe::ir::text {
namespace {

template <typename T>
T Element(std::span<const std::byte> bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

std::string NumberTexts(ElementType type, std::span<const std::byte> bytes, size_t count) {
  const auto list = [&]<typename T>(T) {
    std::string result;
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) result += ", ";
      const T value = Element<T>(bytes, i);
      if constexpr (std::is_floating_point_v<T>) {
        result += FloatText(value);
      } else {
        result += fmt::format("{}", +value);
      }
    }
    return result;
  };
  switch (type) {
    case ElementType::kFloat32:
      return list(float());
    case ElementType::kFloat64:
      return list(double());
    case ElementType::kInt8:
      return list(int8_t());
    case ElementType::kInt16:
      return list(int16_t());
    case ElementType::kInt32:
      return list(int32_t());
    case ElementType::kInt64:
      return list(int64_t());
    case ElementType::kUint8:
    case ElementType::kBool:
      return list(uint8_t());
    case ElementType::kUint16:
      return list(uint16_t());
    case ElementType::kUint32:
      return list(uint32_t());
    case ElementType::kUint64:
      return list(uint64_t());
    default:
      return "";
  }
}

}  // namespace lathe::ir::text
