// What an operator of the evaluator is given, and the tools it works with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lathe/ir/node.h"
#include "lathe/support/half.h"
#include "lathe/support/status.h"

namespace lathe::eval::internal {

using ir::ElementType;
using ir::Tensor;
using Dims = std::vector<int64_t>;
using Results = StatusOr<std::vector<Tensor>>;

struct Call {
  const ir::Node& node;
  // The version of the operator set that the node means.
  int64_t opset;
  std::span<const Tensor> inputs;
  size_t max_result_bytes;

  bool has(size_t i) const { return i < inputs.size() && static_cast<bool>(inputs[i]); }
  // Errors: an input that must be there is not.
  Status Need(size_t count) const;
  // The elements of an integer input.
  StatusOr<std::vector<int64_t>> Ints(size_t i) const;
  // Axes or the like, which older operator sets keep in an attribute and newer ones in input `i`;
  // nothing when neither is there.
  StatusOr<std::optional<std::vector<int64_t>>> IntsOf(std::string_view attribute, size_t i) const;
  // Errors: the result would be too large (ResourceExhausted); an extent is negative; CheckShape's.
  Status CheckSize(ElementType type, std::span<const int64_t> dims) const;
};

struct Operator {
  std::string_view name;
  Results (*evaluate)(const Call&);
};

// The families, one a file.
std::span<const Operator> ElementwiseOperators();
std::span<const Operator> LayoutOperators();
std::span<const Operator> ReductionOperators();
std::span<const Operator> ShapeOperators();
std::span<const Operator> CastOperators();
std::span<const Operator> QuantizeOperators();

// --- Element types as C++ types of the same storage
struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};
struct Bool {
  uint8_t value;
};

// What arithmetic on T is done in.
template <typename T>
struct ComputedType {
  using type = T;
};
template <>
struct ComputedType<Half> {
  using type = float;
};
template <>
struct ComputedType<Bfloat16> {
  using type = float;
};
template <>
struct ComputedType<Bool> {
  using type = bool;
};
template <typename T>
using Computed = typename ComputedType<T>::type;

template <typename T>
Computed<T> Widen(T value) {
  if constexpr (std::is_same_v<T, Half>)
    return HalfToFloat(value.bits);
  else if constexpr (std::is_same_v<T, Bfloat16>)
    return Bfloat16ToFloat(value.bits);
  else if constexpr (std::is_same_v<T, Bool>)
    return value.value != 0;
  else
    return value;
}
template <typename T>
T Narrow(Computed<T> value) {
  if constexpr (std::is_same_v<T, Half>)
    return {FloatToHalf(value)};
  else if constexpr (std::is_same_v<T, Bfloat16>)
    return {FloatToBfloat16(value)};
  else if constexpr (std::is_same_v<T, Bool>)
    return {static_cast<uint8_t>(value)};
  else
    return value;
}

// Calls function.operator()<T>() with the C++ type of `type`; Unimplemented for types that are not
// numbers of at least 8 bits (bool is one, fp8 is not).
template <typename Function>
auto Visit(ElementType type, Function function) -> decltype(function.template operator()<float>()) {
  switch (type) {
    case ElementType::kFloat32:
      return function.template operator()<float>();
    case ElementType::kFloat64:
      return function.template operator()<double>();
    case ElementType::kFloat16:
      return function.template operator()<Half>();
    case ElementType::kBfloat16:
      return function.template operator()<Bfloat16>();
    case ElementType::kInt8:
      return function.template operator()<int8_t>();
    case ElementType::kInt16:
      return function.template operator()<int16_t>();
    case ElementType::kInt32:
      return function.template operator()<int32_t>();
    case ElementType::kInt64:
      return function.template operator()<int64_t>();
    case ElementType::kUint8:
      return function.template operator()<uint8_t>();
    case ElementType::kUint16:
      return function.template operator()<uint16_t>();
    case ElementType::kUint32:
      return function.template operator()<uint32_t>();
    case ElementType::kUint64:
      return function.template operator()<uint64_t>();
    case ElementType::kBool:
      return function.template operator()<Bool>();
    default:
      return Unsupported("elements of type {} are not evaluated", ir::ElementTypeName(type));
  }
}

template <typename T>
StatusOr<std::vector<T>> Elements(const Tensor& tensor) {
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

template <typename T>
StatusOr<Tensor> Make(ElementType type, const Dims& dims, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return Tensor::FromVector(type, dims, {bytes.begin(), bytes.end()});
}

inline Results One(StatusOr<Tensor> tensor) {
  if (!tensor.ok()) return tensor.status();
  return std::vector<Tensor>{*std::move(tensor)};
}

// --- Shapes
// Work and memory go with the elements, unless a shape is made to defeat that: more dimensions, and
// along an empty tensor longer extents, than this are not evaluated.
constexpr size_t kMostDimensions = 1024;
constexpr int64_t kMostEmptyExtent = int64_t{1} << 20;
Status CheckShape(std::span<const int64_t> dims);

inline Dims DimsOf(const Tensor& tensor) { return {tensor.dims().begin(), tensor.dims().end()}; }
// Of extents, INT64_MAX where it would be larger (next to an extent of 0 somewhere else).
int64_t Product(std::span<const int64_t> dims);
// Of a dense row-major tensor, in elements.
std::vector<int64_t> Strides(std::span<const int64_t> dims);
// Negative axes count from the end. Errors: outside the rank; twice the same.
StatusOr<int64_t> Axis(int64_t axis, size_t rank);
StatusOr<std::vector<int64_t>> Axes(std::vector<int64_t> axes, size_t rank);
// The shape that two operands are broadcast to.
StatusOr<Dims> Broadcast(std::span<const int64_t> a, std::span<const int64_t> b);
// Strides that walk `from` while `to` is walked: 0 along broadcast dimensions.
std::vector<int64_t> BroadcastStrides(std::span<const int64_t> from, std::span<const int64_t> to);

// Walks the elements of a shape in row-major order and keeps N offsets beside, each with its own
// strides.
template <size_t N>
class Walker {
 public:
  Walker(Dims dims, std::array<std::vector<int64_t>, N> strides)
      : dims_(std::move(dims)), strides_(std::move(strides)), index_(dims_.size()) {}
  size_t at(size_t k) const { return static_cast<size_t>(offset_[k]); }
  void Next() {
    for (size_t axis = dims_.size(); axis-- > 0;) {
      for (size_t k = 0; k < N; ++k) offset_[k] += strides_[k][axis];
      if (++index_[axis] < dims_[axis]) return;
      for (size_t k = 0; k < N; ++k) offset_[k] -= strides_[k][axis] * dims_[axis];
      index_[axis] = 0;
    }
  }

 private:
  Dims dims_;
  std::array<std::vector<int64_t>, N> strides_;
  std::vector<int64_t> index_;
  std::array<int64_t, N> offset_{};
};

}  // namespace lathe::eval::internal
