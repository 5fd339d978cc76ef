// Smallest and largest of some floats, found with integer comparisons: those vectorise, and they
// see what is not finite.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace lathe::quant::internal {

// Integers in the order of the floats they stand for: -nan < -inf < ... < -0 < +0 < ... < inf <
// nan.
inline int32_t OrderedKey(float value) {
  const int32_t bits = std::bit_cast<int32_t>(value);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}
inline float FromOrderedKey(int32_t key) {
  return std::bit_cast<float>(key ^ ((key >> 31) & 0x7fffffff));
}

struct ValueRange {
  // Of no values at all.
  int32_t min_key = INT32_MAX;
  int32_t max_key = INT32_MIN;

  bool empty() const { return min_key > max_key; }
  bool finite() const { return empty() || (max_key < 0x7f800000 && min_key > ~0x7f800000); }
  float min() const { return FromOrderedKey(min_key); }
  float max() const { return FromOrderedKey(max_key); }

  void Widen(const ValueRange& other) {
    min_key = std::min(min_key, other.min_key);
    max_key = std::max(max_key, other.max_key);
  }
};

}  // namespace lathe::quant::internal
