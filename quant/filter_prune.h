// Which output channels of a layer go (the reference's 8.4, BalancedL2Norm).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/weight_layout.h"

namespace lathe::quant {

// The L2 norm of each channel's weights over their number. The reference scales these to [0, 1],
// which does not change their order. O(weights).
std::vector<double> FilterNorms(std::span<const float> weight, const WeightLayout& layout);

struct FilterCut {
  // A multiple of `group`.
  int64_t channels = 0;
  // Above 0, below 1.
  double ratio = 0;
  // As many stay as a multiple of 16 (of the largest multiple of `group` in it).
  bool ascend_optimized = false;
  // As many go from each of that many equal, consecutive chunks.
  int64_t group = 1;
};

// How many channels go, a multiple of the group; 0: none can. At least one a chunk stays.
//
//     remain = channels - round_half_even(channels * ratio)
//     aligned to 16 upwards, then to the group downwards, at least 16, or the group
int64_t CountPrunedFilters(const FilterCut& cut);

// Of each of `group` equal chunks of the norms the count / group smallest, of equals the first;
// ascending. O(channels log channels).
std::vector<int64_t> ChoosePrunedFilters(std::span<const double> norms, int64_t count,
                                         int64_t group);

}  // namespace lathe::quant
