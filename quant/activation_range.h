// What the calibration of one activation tensor decides.
#pragma once

#include <cstdint>
#include <string_view>

#include "lathe/quant/affine.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct ActivationRange {
  AffineParams params;
  // The range that the integers cover, used to start quantisation-aware training.
  float clip_min = 0.0f;
  float clip_max = 0.0f;

  bool operator==(const ActivationRange&) const = default;
};

// Smallest and largest value seen.
struct DataRange {
  float min = 0.0f;
  float max = 0.0f;

  bool operator==(const DataRange&) const = default;
};

// Whether data of this range can be quantised with profit.
enum class RangeKind {
  kUsable,
  // All values are equal.
  kConstant,
  // So small that the scale would fall below kMinScale and be replaced by 1: every value would
  // become 0.
  kVanishing,
};

RangeKind ClassifyRange(DataRange range, int num_bits);

// For a report why a layer stays float: "all its values are equal", "its values are too small for
// ...".
std::string_view DescribeRangeKind(RangeKind kind);

// Magnitudes from here on are refused by the observers: the squared errors of a search overflow
// float32.
inline constexpr float kMaxActivation = 0x1p62f;

// The errors of an observer that say the data itself cannot be quantised. The layer may be left
// float; all other errors are the caller's mistake. These are of kind OutOfRange and say why.
Status NonFiniteActivation();
Status HugeActivation(DataRange range);

}  // namespace lathe::quant
