#include "lathe/quant/activation_range.h"

#include <algorithm>
#include <cmath>

namespace lathe::quant {

RangeKind ClassifyRange(DataRange range, int num_bits) {
  if (range.min == range.max) return RangeKind::kConstant;
  const float size = std::max(std::abs(range.min), std::abs(range.max));
  if (size / static_cast<float>(MaxQuantized(num_bits)) < kMinScale) return RangeKind::kVanishing;
  return RangeKind::kUsable;
}

std::string_view DescribeRangeKind(RangeKind kind) {
  switch (kind) {
    case RangeKind::kUsable:
      return "its range can be quantised";
    case RangeKind::kConstant:
      return "all its values are equal";
    case RangeKind::kVanishing:
      return "its values are so small that all would be quantised to 0";
  }
  return "";
}

Status NonFiniteActivation() {
  return absl::OutOfRangeError("the activation holds a value that is NaN or infinite");
}

Status HugeActivation(DataRange range) {
  return absl::OutOfRangeError(fmt::format(
      "the activation reaches from {} to {}; magnitudes of 2^62 and more cannot be searched in "
      "float32",
      range.min, range.max));
}

}  // namespace lathe::quant
