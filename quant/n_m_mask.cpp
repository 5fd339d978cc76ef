#include "lathe/quant/n_m_mask.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lathe::quant {
namespace {

// Calls visit(first, count) for each group: `count` weights, `inner` apart, until it returns false.
template <typename Visit>
void ForEachGroup(const AxisLayout& layout, const NmPattern& pattern, const Visit& visit) {
  for (int64_t outer = 0; outer < layout.outer; ++outer) {
    for (int64_t begin = 0; begin < layout.length; begin += pattern.group) {
      const int64_t count = std::min(pattern.group, layout.length - begin);
      for (int64_t inner = 0; inner < layout.inner; ++inner) {
        const int64_t first = (outer * layout.length + begin) * layout.inner + inner;
        if (!visit(static_cast<size_t>(first), static_cast<size_t>(count))) return;
      }
    }
  }
}

// Of a group of `count` weights, how many go.
size_t PrunedOf(const NmPattern& pattern, size_t count) {
  const int64_t missing = pattern.group - static_cast<int64_t>(count);
  return static_cast<size_t>(std::max<int64_t>(pattern.pruned - missing, 0));
}

// Weights that are not finite stay.
float Magnitude(float weight) {
  return std::isnan(weight) ? std::numeric_limits<float>::infinity() : std::abs(weight);
}

}  // namespace

std::vector<uint8_t> NmMask(std::span<const float> weight, const AxisLayout& layout,
                            const NmPattern& pattern) {
  std::vector<uint8_t> mask(weight.size(), 1);
  const auto step = static_cast<size_t>(layout.inner);
  std::vector<size_t> order(static_cast<size_t>(pattern.group));
  ForEachGroup(layout, pattern, [&](size_t first, size_t count) {
    const size_t pruned = PrunedOf(pattern, count);
    if (pruned == 0) return true;
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(count);
    std::iota(order.begin(), end, size_t{0});
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(pruned), end,
                      [&](size_t a, size_t b) {
                        const float x = Magnitude(weight[first + a * step]);
                        const float y = Magnitude(weight[first + b * step]);
                        return x < y || (x == y && a > b);
                      });
    for (size_t i = 0; i < pruned; ++i) mask[first + order[i] * step] = 0;
    return true;
  });
  return mask;
}

std::optional<size_t> FindNmViolation(std::span<const float> weight, const AxisLayout& layout,
                                      const NmPattern& pattern) {
  std::optional<size_t> found;
  const auto step = static_cast<size_t>(layout.inner);
  ForEachGroup(layout, pattern, [&](size_t first, size_t count) {
    size_t zeros = 0;
    for (size_t i = 0; i < count; ++i) zeros += weight[first + i * step] == 0 ? 1 : 0;
    if (zeros < PrunedOf(pattern, count)) found = first;
    return !found.has_value();
  });
  return found;
}

}  // namespace lathe::quant
