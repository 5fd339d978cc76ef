// QuantizeLinear and DequantizeLinear between float32 and integers of 8 to 32 bits, per tensor and
// per axis.
#include <algorithm>
#include <cmath>
#include <limits>

#include "lathe/eval/internal/call.h"

namespace lathe::eval::internal {
namespace {

// Scales and zero points with the strides that pick them for each element.
struct Factors {
  std::vector<float> scale;
  std::vector<int64_t> zero_point;
  std::vector<int64_t> strides;
};

StatusOr<Factors> ReadFactors(const Call& call) {
  const Tensor& input = call.inputs[0];
  const size_t rank = input.dims().size();
  if (call.node.IntAttribute("block_size", 0) != 0) {
    return Unsupported("blocks of factors are not evaluated");
  }
  Factors factors;
  LATHE_ASSIGN_OR_RETURN(factors.scale, call.inputs[1].Values<float>());
  factors.zero_point.resize(factors.scale.size());
  if (call.has(2)) {
    LATHE_ASSIGN_OR_RETURN(factors.zero_point, call.inputs[2].ValuesAsInt64());
  }
  if (factors.zero_point.size() != factors.scale.size()) {
    return InvalidInput("{} scales but {} zero points", factors.scale.size(),
                        factors.zero_point.size());
  }
  factors.strides.assign(rank, 0);
  if (call.inputs[1].num_elements() == 1) return factors;
  LATHE_ASSIGN_OR_RETURN(const int64_t axis, Axis(call.node.IntAttribute("axis", 1), rank));
  if (call.inputs[1].dims().size() != 1 ||
      input.dims()[static_cast<size_t>(axis)] != call.inputs[1].num_elements()) {
    return InvalidInput("{} scales do not fit axis {} of [{}]", factors.scale.size(), axis,
                        fmt::join(input.dims(), ","));
  }
  factors.strides[static_cast<size_t>(axis)] = 1;
  return factors;
}

// saturate(round_half_even(x / scale) + zero_point)
Results Quantize(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  const Tensor& input = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const Factors factors, ReadFactors(call));
  const ElementType type = call.has(2) ? call.inputs[2].element_type() : ElementType::kUint8;
  LATHE_RETURN_IF_ERROR(call.CheckSize(type, input.dims()));
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, input.Values<float>());
  return One(Visit(type, [&]<typename T>() -> StatusOr<Tensor> {
    if constexpr (!std::is_integral_v<T> || sizeof(T) > 2) {
      return Unsupported("quantisation to {} is not evaluated", ir::ElementTypeName(type));
    } else {
      std::vector<T> result;
      result.reserve(values.size());
      Walker<1> walker(DimsOf(input), {factors.strides});
      for (const float value : values) {
        const size_t i = walker.at(0);
        const double rounded = static_cast<double>(std::nearbyint(value / factors.scale[i]));
        if (std::isnan(rounded)) return InvalidInput("NaN has no quantised value");
        result.push_back(static_cast<T>(
            std::clamp<double>(rounded + static_cast<double>(factors.zero_point[i]),
                               std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max())));
        walker.Next();
      }
      return Make(type, DimsOf(input), result);
    }
  }));
}

// (x - zero_point) * scale
Results Dequantize(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  const Tensor& input = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const Factors factors, ReadFactors(call));
  LATHE_RETURN_IF_ERROR(call.CheckSize(ElementType::kFloat32, input.dims()));
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> values, input.ValuesAsInt64());
  std::vector<float> result;
  result.reserve(values.size());
  Walker<1> walker(DimsOf(input), {factors.strides});
  for (const int64_t value : values) {
    const size_t i = walker.at(0);
    result.push_back(static_cast<float>(value - factors.zero_point[i]) * factors.scale[i]);
    walker.Next();
  }
  return One(Make(ElementType::kFloat32, DimsOf(input), result));
}

constexpr Operator kOperators[] = {{"DequantizeLinear", Dequantize}, {"QuantizeLinear", Quantize}};

}  // namespace

std::span<const Operator> QuantizeOperators() { return kOperators; }

}  // namespace lathe::eval::internal
