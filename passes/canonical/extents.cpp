#include "lathe/passes/canonical/extents.h"

#include <algorithm>
#include <iterator>

namespace lathe::passes {
namespace {

// Longer products are unknowns of their own, so that a hostile chain costs no more than its length.
constexpr size_t kMostFactors = 16;

std::optional<int64_t> ComputeKnown(ExtentTable::Operation operation, int64_t a, int64_t b) {
  using Operation = ExtentTable::Operation;
  int64_t result = 0;
  switch (operation) {
    case Operation::kAdd:
      if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
      return result;
    case Operation::kSub:
      if (__builtin_sub_overflow(a, b, &result)) return std::nullopt;
      return result;
    case Operation::kMul:
      if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
      return result;
    case Operation::kDiv:
      // Towards zero, as the evaluator does.
      if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
      return a / b;
    case Operation::kMod:
      // With the sign of the divisor.
      if (b == 0 || b == -1) return b == 0 ? std::nullopt : std::optional<int64_t>(0);
      result = a % b;
      return result != 0 && (result < 0) != (b < 0) ? result + b : result;
    case Operation::kMin:
      return std::min(a, b);
    case Operation::kMax:
      return std::max(a, b);
  }
  return std::nullopt;
}

}  // namespace

template <typename Map, typename MapKey>
Extent ExtentTable::Unknown(Map& map, MapKey key, bool is_non_negative) {
  const auto [it, inserted] =
      map.try_emplace(std::move(key), static_cast<uint32_t>(non_negative_.size()));
  if (inserted) non_negative_.push_back(is_non_negative);
  Extent extent(1);
  extent.unknowns_.push_back(it->second);
  return extent;
}

Extent ExtentTable::Symbol(const ir::Graph* graph, const std::string& symbol) {
  return Unknown(named_, Key{0, reinterpret_cast<uintptr_t>(graph), 0, symbol}, true);
}

Extent ExtentTable::Axis(ir::ValueId value, size_t axis) {
  return Unknown(named_, Key{1, value, axis, {}}, true);
}

Extent ExtentTable::Element(ir::ValueId value, size_t index) {
  return Unknown(named_, Key{2, value, index, {}}, false);
}

bool ExtentTable::IsNonNegative(const Extent& extent) const {
  return extent.factor_ >= 0 && std::ranges::all_of(extent.unknowns_, [&](uint32_t unknown) {
           return non_negative_[unknown];
         });
}

std::optional<bool> ExtentTable::Equal(const Extent& a, const Extent& b) const {
  if (a == b) return true;
  if (a.is_known() && b.is_known()) return false;
  // A negative number is no extent.
  if (a.is_known() && a.factor_ < 0 && IsNonNegative(b)) return false;
  if (b.is_known() && b.factor_ < 0 && IsNonNegative(a)) return false;
  return std::nullopt;
}

std::optional<Extent> ExtentTable::Product(const Extent& a, const Extent& b) const {
  Extent product;
  if (__builtin_mul_overflow(a.factor_, b.factor_, &product.factor_)) return std::nullopt;
  if (product.factor_ == 0) return product;
  if (a.unknowns_.size() + b.unknowns_.size() > kMostFactors) return std::nullopt;
  std::ranges::merge(a.unknowns_, b.unknowns_, std::back_inserter(product.unknowns_));
  return product;
}

// Exact ones: all of b is in a. A divisor that is 0 when the model runs has no defined quotient.
std::optional<Extent> ExtentTable::Quotient(const Extent& a, const Extent& b) const {
  if (b.factor_ == 0 || a.factor_ % b.factor_ != 0 || b.factor_ < 0) return std::nullopt;
  if (!std::ranges::includes(a.unknowns_, b.unknowns_)) return std::nullopt;
  Extent quotient(a.factor_ / b.factor_);
  std::ranges::set_difference(a.unknowns_, b.unknowns_, std::back_inserter(quotient.unknowns_));
  return quotient;
}

std::optional<Extent> ExtentTable::Compute(Operation operation, const Extent& a, const Extent& b) {
  if (a.is_known() && b.is_known()) {
    const std::optional<int64_t> known = ComputeKnown(operation, a.factor_, b.factor_);
    return known ? std::optional<Extent>(*known) : std::nullopt;
  }
  const bool non_negative = IsNonNegative(a) && IsNonNegative(b);
  bool result_non_negative = non_negative && operation != Operation::kSub;
  switch (operation) {
    case Operation::kAdd:
    case Operation::kSub:
      if (b == Extent(0)) return a;
      if (operation == Operation::kAdd && a == Extent(0)) return b;
      if (a.unknowns_ == b.unknowns_) {
        const std::optional<int64_t> factor = ComputeKnown(operation, a.factor_, b.factor_);
        if (!factor) return std::nullopt;
        if (*factor == 0) return Extent(0);
        Extent sum = a;
        sum.factor_ = *factor;
        return sum;
      }
      break;
    case Operation::kMul:
      if (std::optional<Extent> product = Product(a, b)) return product;
      break;
    case Operation::kDiv:
      if (b == Extent(0)) return std::nullopt;
      if (std::optional<Extent> quotient = Quotient(a, b)) return quotient;
      break;
    case Operation::kMod:
      if (b == Extent(0)) return std::nullopt;
      if (Quotient(a, b)) return Extent(0);
      break;
    case Operation::kMin:
    case Operation::kMax:
      if (a == b) return a;
      // Against a number that no extent is below.
      if (b.is_known() && b.factor_ <= 0 && IsNonNegative(a)) {
        return operation == Operation::kMax ? a : b;
      }
      if (a.is_known() && a.factor_ <= 0 && IsNonNegative(b)) {
        return operation == Operation::kMax ? b : a;
      }
      if (operation == Operation::kMax) result_non_negative = IsNonNegative(a) || IsNonNegative(b);
      break;
  }
  const bool commutes = operation == Operation::kAdd || operation == Operation::kMul ||
                        operation == Operation::kMin || operation == Operation::kMax;
  const bool swap = commutes && std::tie(b.unknowns_, b.factor_) < std::tie(a.unknowns_, a.factor_);
  return Unknown(computed_, swap ? std::tuple(operation, b, a) : std::tuple(operation, a, b),
                 result_non_negative);
}

}  // namespace lathe::passes
