// Operators on shapes, and those that make tensors from nothing.
#include <algorithm>
#include <cmath>

#include "lathe/eval/internal/call.h"

namespace lathe::eval::internal {
namespace {

Results Shape(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const std::span<const int64_t> dims = call.inputs[0].dims();
  const auto rank = static_cast<int64_t>(dims.size());
  const auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = clamp(call.node.IntAttribute("start", 0));
  const int64_t end = clamp(call.node.IntAttribute("end", rank));
  const int64_t count = std::max<int64_t>(end - start, 0);
  return std::vector{Tensor::Of<int64_t>(
      {count}, dims.subspan(static_cast<size_t>(start), static_cast<size_t>(count)))};
}

Results Size(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  return std::vector{Tensor::Scalar<int64_t>(call.inputs[0].num_elements())};
}

Results Constant(const Call& call) {
  Tensor tensor = call.node.output() == nullptr ? Tensor() : call.node.output()->ConstantTensor();
  if (!tensor) return Unsupported("a constant of this kind is not evaluated");
  return std::vector{std::move(tensor)};
}

Results ConstantOfShape(const Call& call) {
  LATHE_ASSIGN_OR_RETURN(Dims dims, call.Ints(0));
  const Tensor* given = call.node.TensorAttribute("value");
  const Tensor value = given != nullptr ? *given : Tensor::Of<float>({1}, std::vector<float>{0});
  if (value.num_elements() != 1) return InvalidInput("its value is not one element");
  LATHE_RETURN_IF_ERROR(call.CheckSize(value.element_type(), dims));
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes one, value.Read());
  if (ir::ElementBits(value.element_type()) % 8 != 0) {
    return Unsupported("elements of type {} are not evaluated",
                       ir::ElementTypeName(value.element_type()));
  }
  std::vector<std::byte> bytes(
      ir::ElementBytes(value.element_type(), static_cast<size_t>(Product(dims))));
  for (size_t at = 0; at < bytes.size(); at += one.size()) {
    std::memcpy(&bytes[at], one.data(), one.size());
  }
  return One(Tensor::FromVector(value.element_type(), std::move(dims), std::move(bytes)));
}

Results Range(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(3));
  const ElementType type = call.inputs[0].element_type();
  for (const Tensor& input : call.inputs) {
    if (input.num_elements() != 1 || input.element_type() != type) {
      return InvalidInput("start, limit and delta are not one element of one type each");
    }
  }
  return One(Visit(type, [&]<typename T>() -> StatusOr<Tensor> {
    if constexpr (std::is_same_v<T, Bool>) {
      return InvalidInput("elements of type bool are not taken");
    } else {
      using C = Computed<T>;
      LATHE_ASSIGN_OR_RETURN(const std::vector<T> starts, Elements<T>(call.inputs[0]));
      LATHE_ASSIGN_OR_RETURN(const std::vector<T> limits, Elements<T>(call.inputs[1]));
      LATHE_ASSIGN_OR_RETURN(const std::vector<T> deltas, Elements<T>(call.inputs[2]));
      const C start = Widen(starts[0]), limit = Widen(limits[0]), delta = Widen(deltas[0]);
      if (delta == 0) return InvalidInput("delta is 0");
      // ceil((limit - start) / delta), which in this precision every integer of use has.
      const long double steps = std::ceil((static_cast<long double>(limit) - start) / delta);
      if (!(steps < 0x1p62L)) return InvalidInput("the range has no end");
      const Dims dims = {steps > 0 ? static_cast<int64_t>(steps) : 0};
      LATHE_RETURN_IF_ERROR(call.CheckSize(type, dims));
      std::vector<T> values(static_cast<size_t>(dims[0]));
      for (size_t i = 0; i < values.size(); ++i) {
        if constexpr (std::is_floating_point_v<C>) {
          values[i] = Narrow<T>(start + static_cast<C>(i) * delta);
        } else {
          values[i] = static_cast<C>(static_cast<uint64_t>(start) +
                                     static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
        }
      }
      return Make(type, dims, values);
    }
  }));
}

constexpr Operator kOperators[] = {
    {"Constant", Constant}, {"ConstantOfShape", ConstantOfShape},
    {"Range", Range},       {"Shape", Shape},
    {"Size", Size},
};

}  // namespace

std::span<const Operator> ShapeOperators() { return kOperators; }

}  // namespace lathe::eval::internal
