#include "lathe/passes/rewrite/constant_equals.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

#include "lathe/support/half.h"

namespace lathe::passes {
namespace {

template <typename T>
bool AllAre(std::span<const std::byte> bytes, T wanted) {
  // Bit by bit: zero has two signs.
  const auto pattern = std::bit_cast<std::array<std::byte, sizeof(T)>>(wanted);
  for (size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    if (!std::equal(pattern.begin(), pattern.end(), bytes.begin() + static_cast<ptrdiff_t>(i))) {
      return false;
    }
  }
  return true;
}

template <typename T>
bool AllIntegersAre(std::span<const std::byte> bytes, double number) {
  // 2^digits is exact as a double and the first number that is too large.
  const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
  const double least = std::is_signed_v<T> ? -end : 0.0;
  if (!(number >= least && number < end) || std::trunc(number) != number) return false;
  return AllAre(bytes, static_cast<T>(number));
}

bool AllFloatsAre(std::span<const std::byte> bytes, double number) {
  const auto wanted = static_cast<float>(number);
  return static_cast<double>(wanted) == number && AllAre(bytes, wanted);
}

}  // namespace

bool AllElementsEqual(const ir::Tensor& tensor, double number) {
  if (!tensor || tensor.num_elements() == 0) return false;
  const StatusOr<ir::TensorBytes> data = tensor.Read();
  if (!data.ok()) return false;
  const std::span<const std::byte> bytes = data->bytes();
  switch (tensor.element_type()) {
    case ir::ElementType::kFloat32:
      return AllFloatsAre(bytes, number);
    case ir::ElementType::kFloat64:
      return AllAre(bytes, number);
    case ir::ElementType::kFloat16: {
      const uint16_t half = FloatToHalf(static_cast<float>(number));
      return static_cast<double>(HalfToFloat(half)) == number && AllAre(bytes, half);
    }
    case ir::ElementType::kBfloat16: {
      const uint16_t half = FloatToBfloat16(static_cast<float>(number));
      return static_cast<double>(Bfloat16ToFloat(half)) == number && AllAre(bytes, half);
    }
    case ir::ElementType::kInt8:
      return AllIntegersAre<int8_t>(bytes, number);
    case ir::ElementType::kInt16:
      return AllIntegersAre<int16_t>(bytes, number);
    case ir::ElementType::kInt32:
      return AllIntegersAre<int32_t>(bytes, number);
    case ir::ElementType::kInt64:
      return AllIntegersAre<int64_t>(bytes, number);
    case ir::ElementType::kBool:
      return (number == 0 || number == 1) && AllIntegersAre<uint8_t>(bytes, number);
    case ir::ElementType::kUint8:
      return AllIntegersAre<uint8_t>(bytes, number);
    case ir::ElementType::kUint16:
      return AllIntegersAre<uint16_t>(bytes, number);
    case ir::ElementType::kUint32:
      return AllIntegersAre<uint32_t>(bytes, number);
    case ir::ElementType::kUint64:
      return AllIntegersAre<uint64_t>(bytes, number);
    default:
      return false;
  }
}

bool ElementsEqual(const ir::Tensor& tensor, std::span<const int64_t> numbers) {
  if (!tensor || tensor.num_elements() != static_cast<int64_t>(numbers.size())) return false;
  const StatusOr<std::vector<int64_t>> elements = tensor.ValuesAsInt64();
  return elements.ok() && std::ranges::equal(*elements, numbers);
}

}  // namespace lathe::passes
