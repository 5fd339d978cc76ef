// How far the values of one tensor are from those of another.
#pragma once

#include <cstddef>
#include <span>

namespace lathe::flows {

// Sums over any number of pairs of arrays. Values that are equal, or both NaN, do not differ; a
// difference that is NaN or infinite counts as infinite.
class ValueDifference {
 public:
  // Arrays of one length. O(size).
  void Add(std::span<const float> a, std::span<const float> b);

  // 10 log10(sum of a² / sum of (a - b)²), in dB: infinite when nothing differs, minus infinite
  // when a difference is infinite or all of a is zero.
  double SqnrDb() const;
  // Of the angle between all values of a and of b: 1 when both are all zero, 0 when one is or a
  // value is NaN or infinite.
  double Cosine() const;
  // The largest |a - b|.
  double largest() const { return largest_; }

 private:
  double signal_ = 0;
  double other_ = 0;
  double product_ = 0;
  double noise_ = 0;
  double largest_ = 0;
};

}  // namespace lathe::flows
