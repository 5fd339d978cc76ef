// Two order statistics of any number of values in fixed memory, by two passes over the values: for
// percentiles so low that the largest values are too many to be kept.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace lathe::quant::internal {

// What a RadixSelection takes at most.
inline constexpr size_t kRadixBytes = size_t{1} << 20;

// The first pass counts the upper halves of the values' ordered keys; the second the lower halves
// of those values that share the upper half of a sought one. 0.5 to 1 MB.
class RadixSelection {
 public:
  RadixSelection() : counts_(kHalf) {}

  // Counts `values` into `partial`, which is made large enough; several threads may, each its own.
  void Count(std::span<const float> values, std::vector<uint64_t>& partial) const;

  // Adds the counts of one thread and clears them.
  void Add(std::vector<uint64_t>& partial);

  // Ends the first pass. `ranks` count from 1 at the smallest value, up to the number of values
  // counted.
  void StartSecondPass(std::array<uint64_t, 2> ranks);

  // Ends the second pass: the values of the two ranks. False when the second pass did not see what
  // the first saw.
  bool Finish(std::array<float, 2>& values) const;

 private:
  static constexpr size_t kHalf = size_t{1} << 16;

  bool second_pass_ = false;
  // Of the two sought values: the upper half of the key, and the rank among the values that share
  // it.
  std::array<uint32_t, 2> upper_ = {};
  std::array<uint64_t, 2> ranks_ = {};
  std::vector<uint64_t> counts_;
};

}  // namespace lathe::quant::internal
