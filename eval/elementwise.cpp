// Element by element, with broadcasting.
#include <cmath>
#include <limits>

#include "lathe/eval/internal/call.h"

namespace lathe::eval::internal {
namespace {

template <typename T>
constexpr bool kIsFloat = std::is_floating_point_v<Computed<T>>;
template <typename T>
constexpr bool kIsBool = std::is_same_v<T, Bool>;

// Wrapping integer arithmetic without undefined behaviour.
template <typename C>
using Wrapping = std::make_unsigned_t<
    std::conditional_t<std::is_integral_v<C> && !std::is_same_v<C, bool>, C, int>>;

Status WrongType(ElementType type) {
  return InvalidInput("elements of type {} are not taken", ir::ElementTypeName(type));
}

// --- Two operands
// A functor has Apply<T>(a, b, &result), which may fail, and Takes<T>().
template <typename Functor, typename T, typename Out>
StatusOr<Tensor> Binary(const Call& call, const Functor& functor, const Tensor& a, const Tensor& b,
                        ElementType result_type) {
  LATHE_ASSIGN_OR_RETURN(Dims dims, Broadcast(a.dims(), b.dims()));
  LATHE_RETURN_IF_ERROR(call.CheckSize(result_type, dims));
  LATHE_ASSIGN_OR_RETURN(const std::vector<T> left, Elements<T>(a));
  LATHE_ASSIGN_OR_RETURN(const std::vector<T> right, Elements<T>(b));
  std::vector<Out> result(static_cast<size_t>(Product(dims)));
  Walker<2> walker(dims, {BroadcastStrides(a.dims(), dims), BroadcastStrides(b.dims(), dims)});
  for (Out& element : result) {
    LATHE_ASSIGN_OR_RETURN(
        const Computed<Out> value,
        functor.template Apply<T>(Widen(left[walker.at(0)]), Widen(right[walker.at(1)])));
    element = Narrow<Out>(value);
    walker.Next();
  }
  return Make(result_type, std::move(dims), result);
}

template <typename Functor>
StatusOr<Tensor> Arithmetic(const Call& call, const Functor& functor, const Tensor& a,
                            const Tensor& b) {
  const ElementType type = a.element_type();
  if (type != b.element_type()) {
    return InvalidInput("operands are of types {} and {}", ir::ElementTypeName(type),
                        ir::ElementTypeName(b.element_type()));
  }
  return Visit(type, [&]<typename T>() -> StatusOr<Tensor> {
    if constexpr (!Functor::template kTakes<T>) {
      return WrongType(type);
    } else if constexpr (Functor::kIsPredicate) {
      return Binary<Functor, T, Bool>(call, functor, a, b, ElementType::kBool);
    } else {
      return Binary<Functor, T, T>(call, functor, a, b, type);
    }
  });
}

struct Numbers {
  static constexpr bool kIsPredicate = false;
  template <typename T>
  static constexpr bool kTakes = !kIsBool<T>;
};
struct Predicate {
  static constexpr bool kIsPredicate = true;
  template <typename T>
  static constexpr bool kTakes = true;
};
struct Logic {
  static constexpr bool kIsPredicate = false;
  template <typename T>
  static constexpr bool kTakes = kIsBool<T>;
};

struct Add : Numbers {
  template <typename T>
  StatusOr<Computed<T>> Apply(Computed<T> a, Computed<T> b) const {
    using C = Computed<T>;
    if constexpr (kIsFloat<T>)
      return a + b;
    else
      return static_cast<C>(static_cast<Wrapping<C>>(a) + static_cast<Wrapping<C>>(b));
  }
};
struct Sub : Numbers {
  template <typename T>
  StatusOr<Computed<T>> Apply(Computed<T> a, Computed<T> b) const {
    using C = Computed<T>;
    if constexpr (kIsFloat<T>)
      return a - b;
    else
      return static_cast<C>(static_cast<Wrapping<C>>(a) - static_cast<Wrapping<C>>(b));
  }
};
struct Mul : Numbers {
  template <typename T>
  StatusOr<Computed<T>> Apply(Computed<T> a, Computed<T> b) const {
    using C = Computed<T>;
    if constexpr (kIsFloat<T>) return a * b;
    // 16-bit factors would be promoted to int, whose overflow is undefined.
    else
      return static_cast<C>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
struct Div : Numbers {
  // Integers are divided towards zero.
  template <typename T>
  StatusOr<Computed<T>> Apply(Computed<T> a, Computed<T> b) const {
    using C = Computed<T>;
    if constexpr (kIsFloat<T>) {
      return a / b;
    } else {
      if (b == 0) return InvalidInput("division of an integer by zero");
      if constexpr (std::is_signed_v<C>) {
        if (b == -1) return static_cast<C>(Wrapping<C>{0} - static_cast<Wrapping<C>>(a));
      }
      return static_cast<C>(a / b);
    }
  }
};
struct Mod : Numbers {
  bool c_style;
  template <typename T>
  StatusOr<Computed<T>> Apply(Computed<T> a, Computed<T> b) const {
    using C = Computed<T>;
    if constexpr (kIsFloat<T>) {
      if (!c_style) return InvalidInput("floats are taken with fmod=1 only");
      return std::fmod(a, b);
    } else {
      if (b == 0) return InvalidInput("division of an integer by zero");
      if constexpr (std::is_signed_v<C>) {
        if (b == -1) return C{0};
      }
      const auto rest = static_cast<C>(a % b);
      // Without fmod the result has the divisor's sign, as Python's % has.
      if (!c_style && rest != 0 && ((rest < 0) != (b < 0))) return static_cast<C>(rest + b);
      return rest;
    }
  }
};
struct Minimum : Numbers {
  template <typename T>
  StatusOr<Computed<T>> Apply(Computed<T> a, Computed<T> b) const {
    if constexpr (kIsFloat<T>) {
      if (std::isnan(a)) return a;
      if (std::isnan(b)) return b;
    }
    return b < a ? b : a;
  }
};
struct Maximum : Numbers {
  template <typename T>
  StatusOr<Computed<T>> Apply(Computed<T> a, Computed<T> b) const {
    if constexpr (kIsFloat<T>) {
      if (std::isnan(a)) return a;
      if (std::isnan(b)) return b;
    }
    return a < b ? b : a;
  }
};
struct Equal : Predicate {
  template <typename T>
  StatusOr<bool> Apply(Computed<T> a, Computed<T> b) const {
    return a == b;
  }
};
struct Less : Predicate {
  template <typename T>
  StatusOr<bool> Apply(Computed<T> a, Computed<T> b) const {
    return a < b;
  }
};
struct Greater : Predicate {
  template <typename T>
  StatusOr<bool> Apply(Computed<T> a, Computed<T> b) const {
    return a > b;
  }
};
struct LessOrEqual : Predicate {
  template <typename T>
  StatusOr<bool> Apply(Computed<T> a, Computed<T> b) const {
    return a <= b;
  }
};
struct GreaterOrEqual : Predicate {
  template <typename T>
  StatusOr<bool> Apply(Computed<T> a, Computed<T> b) const {
    return a >= b;
  }
};
struct And : Logic {
  template <typename T>
  StatusOr<bool> Apply(bool a, bool b) const {
    return a && b;
  }
};
struct Or : Logic {
  template <typename T>
  StatusOr<bool> Apply(bool a, bool b) const {
    return a || b;
  }
};
struct Xor : Logic {
  template <typename T>
  StatusOr<bool> Apply(bool a, bool b) const {
    return a != b;
  }
};

template <typename Functor>
Results Two(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  return One(Arithmetic(call, Functor{}, call.inputs[0], call.inputs[1]));
}

Results EvaluateMod(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  return One(Arithmetic(call, Mod{{}, call.node.IntAttribute("fmod", 0) != 0}, call.inputs[0],
                        call.inputs[1]));
}

// Min and Max of any number of operands.
template <typename Functor>
Results Several(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(std::max<size_t>(call.inputs.size(), 1)));
  Tensor result = call.inputs[0];
  for (const Tensor& next : call.inputs.subspan(1)) {
    LATHE_ASSIGN_OR_RETURN(result, Arithmetic(call, Functor{}, result, next));
  }
  return std::vector{std::move(result)};
}

// The exponent may have another type than the base, whose type the result has.
template <typename T, typename E>
StatusOr<Tensor> PowerOf(const Tensor& base, const Tensor& exponent, const Dims& dims) {
  if constexpr (kIsBool<T> || kIsBool<E>) {
    return WrongType(ElementType::kBool);
  } else {
    LATHE_ASSIGN_OR_RETURN(const std::vector<T> left, Elements<T>(base));
    LATHE_ASSIGN_OR_RETURN(const std::vector<E> right, Elements<E>(exponent));
    std::vector<T> result(static_cast<size_t>(Product(dims)));
    Walker<2> walker(
        dims, {BroadcastStrides(base.dims(), dims), BroadcastStrides(exponent.dims(), dims)});
    for (T& element : result) {
      const auto a = Widen(left[walker.at(0)]);
      const auto b = Widen(right[walker.at(1)]);
      if constexpr (kIsFloat<T>) {
        // A square is rounded once; so is what pow gives in double, nearly always.
        element = Narrow<T>(
            static_cast<Computed<T>>(std::pow(static_cast<double>(a), static_cast<double>(b))));
      } else if constexpr (kIsFloat<E>) {
        return Unsupported("an integer to the power of a float is not evaluated");
      } else {
        if (b < 0) return InvalidInput("an integer to a negative power");
        uint64_t power = 1, square = static_cast<uint64_t>(a);
        for (auto rest = static_cast<uint64_t>(b); rest != 0; rest >>= 1) {
          if (rest & 1) power *= square;
          square *= square;
        }
        element = static_cast<T>(power);
      }
      walker.Next();
    }
    return Make(base.element_type(), dims, result);
  }
}

Results Power(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  const Tensor& base = call.inputs[0];
  const Tensor& exponent = call.inputs[1];
  LATHE_ASSIGN_OR_RETURN(Dims dims, Broadcast(base.dims(), exponent.dims()));
  LATHE_RETURN_IF_ERROR(call.CheckSize(base.element_type(), dims));
  return One(Visit(base.element_type(), [&]<typename T>() {
    return Visit(exponent.element_type(),
                 [&]<typename E>() { return PowerOf<T, E>(base, exponent, dims); });
  }));
}

Results Where(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(3));
  const Tensor& condition = call.inputs[0];
  const Tensor& yes = call.inputs[1];
  const Tensor& no = call.inputs[2];
  if (condition.element_type() != ElementType::kBool) return WrongType(condition.element_type());
  if (yes.element_type() != no.element_type()) return WrongType(no.element_type());
  LATHE_ASSIGN_OR_RETURN(Dims dims, Broadcast(yes.dims(), no.dims()));
  LATHE_ASSIGN_OR_RETURN(dims, Broadcast(dims, condition.dims()));
  LATHE_RETURN_IF_ERROR(call.CheckSize(yes.element_type(), dims));
  return One(Visit(yes.element_type(), [&]<typename T>() -> StatusOr<Tensor> {
    LATHE_ASSIGN_OR_RETURN(const std::vector<Bool> which, Elements<Bool>(condition));
    LATHE_ASSIGN_OR_RETURN(const std::vector<T> left, Elements<T>(yes));
    LATHE_ASSIGN_OR_RETURN(const std::vector<T> right, Elements<T>(no));
    std::vector<T> result(static_cast<size_t>(Product(dims)));
    Walker<3> walker(dims, {BroadcastStrides(condition.dims(), dims),
                            BroadcastStrides(yes.dims(), dims), BroadcastStrides(no.dims(), dims)});
    for (T& element : result) {
      element = Widen(which[walker.at(0)]) ? left[walker.at(1)] : right[walker.at(2)];
      walker.Next();
    }
    return Make(yes.element_type(), dims, result);
  }));
}

// --- One operand
template <typename Functor>
Results Unary(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& input = call.inputs[0];
  LATHE_RETURN_IF_ERROR(call.CheckSize(input.element_type(), input.dims()));
  return One(Visit(input.element_type(), [&]<typename T>() -> StatusOr<Tensor> {
    if constexpr (!Functor::template kTakes<T>) {
      return WrongType(input.element_type());
    } else {
      LATHE_ASSIGN_OR_RETURN(std::vector<T> values, Elements<T>(input));
      for (T& value : values) value = Narrow<T>(Functor::template Apply<T>(Widen(value)));
      return Make(input.element_type(), DimsOf(input), values);
    }
  }));
}

struct Floats {
  template <typename T>
  static constexpr bool kTakes = kIsFloat<T>;
};
struct Neg : Numbers {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    using C = Computed<T>;
    if constexpr (kIsFloat<T>)
      return -x;
    else
      return static_cast<C>(Wrapping<C>{0} - static_cast<Wrapping<C>>(x));
  }
};
struct Abs : Numbers {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    if constexpr (kIsFloat<T>)
      return std::fabs(x);
    else
      return x < 0 ? Neg::Apply<T>(x) : x;
  }
};
struct Sign : Numbers {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    if constexpr (kIsFloat<T>) {
      if (std::isnan(x)) return x;
    }
    return static_cast<Computed<T>>((x > 0) - (x < 0));
  }
};
struct Relu : Numbers {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    return x < 0 ? Computed<T>{0} : x;
  }
};
struct Sqrt : Floats {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    return std::sqrt(x);
  }
};
struct Reciprocal : Floats {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    return 1 / x;
  }
};
struct Floor : Floats {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    return std::floor(x);
  }
};
struct Ceil : Floats {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    return std::ceil(x);
  }
};
// Half to even, which is the rounding mode in force.
struct Round : Floats {
  template <typename T>
  static Computed<T> Apply(Computed<T> x) {
    return std::nearbyint(x);
  }
};
struct Not : Logic {
  template <typename T>
  static bool Apply(bool x) {
    return !x;
  }
};

constexpr Operator kOperators[] = {
    {"Abs", Unary<Abs>},
    {"Add", Two<Add>},
    {"And", Two<And>},
    {"Ceil", Unary<Ceil>},
    {"Div", Two<Div>},
    {"Equal", Two<Equal>},
    {"Floor", Unary<Floor>},
    {"Greater", Two<Greater>},
    {"GreaterOrEqual", Two<GreaterOrEqual>},
    {"Less", Two<Less>},
    {"LessOrEqual", Two<LessOrEqual>},
    {"Max", Several<Maximum>},
    {"Min", Several<Minimum>},
    {"Mod", EvaluateMod},
    {"Mul", Two<Mul>},
    {"Neg", Unary<Neg>},
    {"Not", Unary<Not>},
    {"Or", Two<Or>},
    {"Pow", Power},
    {"Reciprocal", Unary<Reciprocal>},
    {"Relu", Unary<Relu>},
    {"Round", Unary<Round>},
    {"Sign", Unary<Sign>},
    {"Sqrt", Unary<Sqrt>},
    {"Sub", Two<Sub>},
    {"Where", Where},
    {"Xor", Two<Xor>},
};

}  // namespace

std::span<const Operator> ElementwiseOperators() { return kOperators; }

}  // namespace lathe::eval::internal
