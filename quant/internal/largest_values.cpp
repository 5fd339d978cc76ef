#include "lathe/quant/internal/largest_values.h"

#include <algorithm>
#include <functional>

namespace lathe::quant::internal {

void LargestValues::Restart(size_t capacity, float threshold) {
  capacity_ = capacity;
  threshold_ = threshold;
  values_.clear();
}

void LargestValues::Offer(std::span<const float> values, float sign, float largest) {
  if (!(largest > threshold_)) return;
  for (const float value : values) {
    if (sign * value > threshold_) Push(sign * value);
  }
}

void LargestValues::Merge(const LargestValues& other) {
  for (const float value : other.values_) {
    if (value > threshold_) Push(value);
  }
}

void LargestValues::Push(float value) {
  values_.push_back(value);
  if (values_.size() >= 2 * capacity_) Shrink();
}

void LargestValues::Shrink() {
  if (values_.size() < capacity_) return;
  const auto last = values_.begin() + static_cast<std::ptrdiff_t>(capacity_ - 1);
  std::nth_element(values_.begin(), last, values_.end(), std::greater<>());
  values_.resize(capacity_);
  threshold_ = values_.back();
}

float LargestValues::KthLargest(size_t k) {
  const auto kth = values_.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(values_.begin(), kth, values_.end(), std::greater<>());
  return *kth;
}

}  // namespace lathe::quant::internal
