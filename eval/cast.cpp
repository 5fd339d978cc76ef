// Conversions between element types.
#include <bit>
#include <cmath>
#include <limits>

#include "lathe/eval/internal/call.h"

namespace lathe::eval::internal {
namespace {

// The float next to `value` whose last bit says that something was cut off: rounding it again, to
// fewer bits, gives what rounding `value` at once would have given.
float RoundToOdd(long double value) {
  const auto nearest = static_cast<float>(value);
  if (std::isnan(value) || static_cast<long double>(nearest) == value) return nearest;
  const float below = std::fabs(static_cast<long double>(nearest)) > std::fabs(value)
                          ? std::nextafter(nearest, 0.0f)
                          : nearest;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(below) | 1u);
}

template <typename To, typename From>
StatusOr<To> Convert(From from) {
  const Computed<From> value = Widen(from);
  if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<uint8_t>(value != 0)};
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, Bfloat16>) {
    return Narrow<To>(RoundToOdd(static_cast<long double>(value)));
  } else if constexpr (std::is_floating_point_v<Computed<From>> && !std::is_floating_point_v<To>) {
    // Towards zero; what does not fit has no defined result.
    const Computed<From> whole = std::trunc(value);
    const auto limit = std::ldexp(static_cast<Computed<From>>(1), std::numeric_limits<To>::digits);
    if (!(whole < limit) || whole < (std::is_signed_v<To> ? -limit : 0)) {
      return InvalidInput("the value {} does not fit the type", value);
    }
    return static_cast<To>(whole);
  } else {
    // From any number to a float: rounded to nearest. Between integers: modulo 2^width.
    return static_cast<To>(value);
  }
}

Results CastTo(const Call& call, ElementType type) {
  const Tensor& input = call.inputs[0];
  if (input.element_type() == type) return std::vector{input};
  LATHE_RETURN_IF_ERROR(call.CheckSize(type, input.dims()));
  return One(Visit(input.element_type(), [&]<typename From>() -> StatusOr<Tensor> {
    return Visit(type, [&]<typename To>() -> StatusOr<Tensor> {
      LATHE_ASSIGN_OR_RETURN(const std::vector<From> values, Elements<From>(input));
      std::vector<To> result;
      result.reserve(values.size());
      for (const From value : values) {
        LATHE_ASSIGN_OR_RETURN(const To converted, (Convert<To, From>(value)));
        result.push_back(converted);
      }
      return Make(type, DimsOf(input), result);
    });
  }));
}

Results Cast(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const auto type = ir::ElementTypeFromOnnx(call.node.IntAttribute("to", 0));
  if (!type) return InvalidInput("attribute 'to' names no element type");
  return CastTo(call, *type);
}

Results CastLike(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  return CastTo(call, call.inputs[1].element_type());
}

constexpr Operator kOperators[] = {{"Cast", Cast}, {"CastLike", CastLike}};

}  // namespace

std::span<const Operator> CastOperators() { return kOperators; }

}  // namespace lathe::eval::internal
