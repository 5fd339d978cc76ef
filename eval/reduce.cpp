// Reductions along axes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "lathe/eval/internal/call.h"

namespace lathe::eval::internal {
namespace {

// Which axes go, and the shape that is left.
struct Plan {
  bool unchanged = false;
  // With every reduced axis as 1, for walking.
  Dims kept;
  Dims result;
  // Elements that make one.
  int64_t count = 1;
};

StatusOr<Plan> MakePlan(const Call& call) {
  const Tensor& input = call.inputs[0];
  const size_t rank = input.dims().size();
  LATHE_ASSIGN_OR_RETURN(auto axes, call.IntsOf("axes", 1));
  Plan plan;
  if (!axes || axes->empty()) {
    plan.unchanged = call.node.IntAttribute("noop_with_empty_axes", 0) != 0;
    axes.emplace();
    for (size_t i = 0; i < rank && !plan.unchanged; ++i) axes->push_back(static_cast<int64_t>(i));
  }
  LATHE_ASSIGN_OR_RETURN(axes, Axes(*std::move(axes), rank));
  const bool keep = call.node.IntAttribute("keepdims", 1) != 0;
  plan.kept = DimsOf(input);
  for (size_t i = 0; i < rank; ++i) {
    if (std::ranges::count(*axes, static_cast<int64_t>(i)) == 0) {
      plan.result.push_back(plan.kept[i]);
      continue;
    }
    plan.count = Product(std::array{plan.count, plan.kept[i]});
    plan.kept[i] = 1;
    if (keep) plan.result.push_back(1);
  }
  return plan;
}

// Functors: the start value, one step, and the end, in the accumulator's type.
template <typename C>
using Accumulator = std::conditional_t<std::is_floating_point_v<C>, double, C>;

template <typename C>
C WrappingAdd(C a, C b) {
  if constexpr (std::is_floating_point_v<C>)
    return a + b;
  else
    return static_cast<C>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

struct Sum {
  static constexpr bool kNeedsElements = false;
  template <typename A>
  static A Start() {
    return 0;
  }
  template <typename A>
  static A Step(A a, A x) {
    return WrappingAdd(a, x);
  }
  template <typename A>
  static A End(A a, int64_t /*count*/) {
    return a;
  }
};
struct Mean : Sum {
  static constexpr bool kNeedsElements = true;
  template <typename A>
  static A End(A a, int64_t count) {
    if constexpr (std::is_floating_point_v<A>)
      return a / static_cast<A>(count);
    else
      return static_cast<A>(a / static_cast<A>(count));
  }
};
struct Product_ {
  static constexpr bool kNeedsElements = false;
  template <typename A>
  static A Start() {
    return 1;
  }
  template <typename A>
  static A Step(A a, A x) {
    if constexpr (std::is_floating_point_v<A>)
      return a * x;
    else
      return static_cast<A>(static_cast<uint64_t>(a) * static_cast<uint64_t>(x));
  }
  template <typename A>
  static A End(A a, int64_t /*count*/) {
    return a;
  }
};
template <bool kMaximum>
struct Extreme {
  static constexpr bool kNeedsElements = true;
  template <typename A>
  static A Start() {
    using Limits = std::numeric_limits<A>;
    if constexpr (std::is_floating_point_v<A>) {
      return kMaximum ? -Limits::infinity() : Limits::infinity();
    } else {
      return kMaximum ? Limits::lowest() : Limits::max();
    }
  }
  template <typename A>
  static A Step(A a, A x) {
    if constexpr (std::is_floating_point_v<A>) {
      if (std::isnan(a) || std::isnan(x)) return std::numeric_limits<A>::quiet_NaN();
    }
    return (kMaximum ? x > a : x < a) ? x : a;
  }
  template <typename A>
  static A End(A a, int64_t /*count*/) {
    return a;
  }
};

template <typename Functor>
Results Reduce(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& input = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const Plan plan, MakePlan(call));
  if (plan.unchanged) return std::vector{input};
  LATHE_RETURN_IF_ERROR(call.CheckSize(input.element_type(), plan.kept));
  if (Functor::kNeedsElements && plan.count == 0) {
    return InvalidInput("nothing to reduce along an empty axis");
  }
  return One(Visit(input.element_type(), [&]<typename T>() -> StatusOr<Tensor> {
    using A = Accumulator<Computed<T>>;
    if constexpr (std::is_same_v<T, Bool>) {
      return InvalidInput("elements of type bool are not taken");
    } else {
      LATHE_ASSIGN_OR_RETURN(const std::vector<T> values, Elements<T>(input));
      std::vector<A> sums(static_cast<size_t>(Product(plan.kept)), Functor::template Start<A>());
      Walker<1> walker(DimsOf(input), {BroadcastStrides(plan.kept, input.dims())});
      for (const T value : values) {
        A& sum = sums[walker.at(0)];
        sum = Functor::template Step<A>(sum, static_cast<A>(Widen(value)));
        walker.Next();
      }
      std::vector<T> result;
      result.reserve(sums.size());
      for (const A sum : sums) {
        result.push_back(
            Narrow<T>(static_cast<Computed<T>>(Functor::template End<A>(sum, plan.count))));
      }
      return Make(input.element_type(), plan.result, result);
    }
  }));
}

// The index of the extreme element along one axis.
template <bool kMaximum>
Results ArgExtreme(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& input = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const int64_t signed_axis,
                         Axis(call.node.IntAttribute("axis", 0), input.dims().size()));
  const auto axis = static_cast<size_t>(signed_axis);
  const bool last = call.node.IntAttribute("select_last_index", 0) != 0;
  const int64_t extent = input.dims()[axis];
  if (extent == 0) return InvalidInput("axis {} is empty", axis);
  Dims kept = DimsOf(input);
  kept[axis] = 1;
  Dims dims = kept;
  if (call.node.IntAttribute("keepdims", 1) == 0) dims.erase(dims.begin() + signed_axis);
  LATHE_RETURN_IF_ERROR(call.CheckSize(ElementType::kInt64, dims));
  return One(Visit(input.element_type(), [&]<typename T>() -> StatusOr<Tensor> {
    if constexpr (std::is_same_v<T, Bool>) {
      return InvalidInput("elements of type bool are not taken");
    } else {
      LATHE_ASSIGN_OR_RETURN(const std::vector<T> values, Elements<T>(input));
      const int64_t step = Strides(input.dims())[axis];
      std::vector<int64_t> result(static_cast<size_t>(Product(kept)));
      std::vector<int64_t> strides = Strides(input.dims());
      Walker<1> walker(kept, {strides});
      for (int64_t& index : result) {
        const auto at = [&](int64_t i) {
          return Widen(values[walker.at(0) + static_cast<size_t>(i * step)]);
        };
        for (int64_t i = 1; i < extent; ++i) {
          const auto best = at(index), next = at(i);
          const bool better = kMaximum ? next > best : next < best;
          if (better || (last && next == best)) index = i;
        }
        walker.Next();
      }
      return Make(ElementType::kInt64, dims, result);
    }
  }));
}

constexpr Operator kOperators[] = {
    {"ArgMax", ArgExtreme<true>},
    {"ArgMin", ArgExtreme<false>},
    {"ReduceMax", Reduce<Extreme<true>>},
    {"ReduceMean", Reduce<Mean>},
    {"ReduceMin", Reduce<Extreme<false>>},
    {"ReduceProd", Reduce<Product_>},
    {"ReduceSum", Reduce<Sum>},
};

}  // namespace

std::span<const Operator> ReductionOperators() { return kOperators; }

}  // namespace lathe::eval::internal
