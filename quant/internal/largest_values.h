// The largest few of many values, exactly.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace lathe::quant::internal {

// Keeps the `capacity` largest values it was offered, in at most about twice that room; all of them
// while they are fewer. Offering costs amortised constant time a value above the threshold, and
// nothing for a piece whose largest value is not above it.
class LargestValues {
 public:
  explicit LargestValues(size_t capacity = 1) : capacity_(capacity) {}

  // A value not above this one cannot be among the largest; minus infinity while nothing is known.
  float threshold() const { return threshold_; }

  // Forgets everything and starts with a threshold known from elsewhere.
  void Restart(size_t capacity, float threshold);

  // `sign` is 1 for the largest values, -1 for the largest of the negated ones. `largest` is the
  // largest of sign * values.
  void Offer(std::span<const float> values, float sign, float largest);

  // Takes over what `other` kept.
  void Merge(const LargestValues& other);

  // The k-th largest value offered, k from 1 to min(capacity, number of values offered).
  float KthLargest(size_t k);

 private:
  void Push(float value);
  void Shrink();

  size_t capacity_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<float> values_;
};

}  // namespace lathe::quant::internal
