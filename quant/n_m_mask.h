// N:M sparsity: of every M consecutive weights along an axis N are zero (the reference's 8.6).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lathe::quant {

// Weights along an axis: [outer, length, inner].
struct AxisLayout {
  int64_t outer = 1;
  int64_t length = 1;
  int64_t inner = 1;

  int64_t elements() const { return outer * length * inner; }
};

// Of `group` weights, `pruned` are zero; 0 < pruned < group.
struct NmPattern {
  int64_t group = 4;
  int64_t pruned = 2;
};

// 0 for the `pruned` smallest magnitudes of each group, of equals the last, and 1 for the others.
// Zeros fill up the last group, and count as its smallest; so a group of 3 of 4 loses one weight,
// and one of 2 none. O(weights log group).
std::vector<uint8_t> NmMask(std::span<const float> weight, const AxisLayout& layout,
                            const NmPattern& pattern);

// The first weight of the first group with fewer than `pruned` zeros (those that fill it up
// included); nullopt: the pattern holds. O(weights).
std::optional<size_t> FindNmViolation(std::span<const float> weight, const AxisLayout& layout,
                                      const NmPattern& pattern);

}  // namespace lathe::quant
