#include "lathe/passes/canonical/constant_elements.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

namespace lathe::passes {
namespace {

using ir::ElementType;

struct FloatFormat {
  uint64_t one;
  uint64_t infinity;
  uint64_t sign;
};

std::optional<FloatFormat> FormatOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return FloatFormat{0x3f800000, 0x7f800000, 0x80000000};
    case ElementType::kFloat64:
      return FloatFormat{0x3ff0000000000000, 0x7ff0000000000000, 0x8000000000000000};
    case ElementType::kFloat16:
      return FloatFormat{0x3c00, 0x7c00, 0x8000};
    case ElementType::kBfloat16:
      return FloatFormat{0x3f80, 0x7f80, 0x8000};
    default:
      return std::nullopt;
  }
}

bool IsSigned(ElementType type) {
  return type == ElementType::kInt8 || type == ElementType::kInt16 || type == ElementType::kInt32 ||
         type == ElementType::kInt64;
}

// The element's bits, in its low bytes.
std::optional<uint64_t> Bits(ElementType type, Element element) {
  if (const std::optional<FloatFormat> format = FormatOf(type)) {
    switch (element) {
      case Element::kZero:
        return 0;
      case Element::kNegativeZero:
        return format->sign;
      case Element::kOne:
        return format->one;
      case Element::kLowest:
        return format->infinity | format->sign;
      case Element::kHighest:
        return format->infinity;
      case Element::kAllBitsSet:
        return std::nullopt;
    }
  }
  const bool is_bool = type == ElementType::kBool;
  const int bits = ir::ElementBits(type);
  if ((!is_bool && !ir::IsInteger(type)) || bits < 8) return std::nullopt;
  const uint64_t all = std::numeric_limits<uint64_t>::max() >> (64 - bits);
  const uint64_t sign = uint64_t{1} << (bits - 1);
  switch (element) {
    case Element::kZero:
    case Element::kNegativeZero:
      return 0;
    case Element::kOne:
      return 1;
    case Element::kAllBitsSet:
      return is_bool ? std::nullopt : std::optional(all);
    case Element::kLowest:
      return IsSigned(type) ? sign : 0;
    case Element::kHighest:
      return is_bool ? 1 : IsSigned(type) ? all ^ sign : all;
  }
  return std::nullopt;
}

}  // namespace

bool AllElementsAre(const ir::Tensor& tensor, Element element) {
  if (!tensor) return false;
  const std::optional<uint64_t> wanted = Bits(tensor.element_type(), element);
  if (!wanted) return false;
  const StatusOr<ir::TensorBytes> bytes = tensor.Read();
  if (!bytes.ok()) return false;
  const auto width = static_cast<size_t>(ir::ElementBits(tensor.element_type())) / 8;
  for (size_t i = 0; i + width <= bytes->size(); i += width) {
    // Tensors are little-endian, as every machine that we run on.
    if (std::memcmp(bytes->data() + i, &*wanted, width) != 0) return false;
  }
  return true;
}

std::optional<double> SingleNumber(const ir::Tensor& tensor) {
  if (!tensor || tensor.num_elements() != 1) return std::nullopt;
  if (tensor.element_type() == ir::ElementType::kFloat64) {
    const StatusOr<std::vector<double>> number = tensor.Values<double>();
    return number.ok() ? std::optional<double>(number->front()) : std::nullopt;
  }
  if (const auto number = tensor.ValuesAsFloat(); number.ok()) return number->front();
  if (const auto number = tensor.ValuesAsInt64(); number.ok()) {
    // Larger ones would be rounded.
    if (std::abs(static_cast<double>(number->front())) <= 0x1p53) {
      return static_cast<double>(number->front());
    }
  }
  return std::nullopt;
}

}  // namespace lathe::passes
