// The candidates of an IFMR search and the bounds on their losses.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lathe/quant/ifmr.h"
#include "lathe/quant/internal/fine_histogram.h"

namespace lathe::quant::internal {

// Values are clamped to [clip_min, clip_max] and rounded to multiples of scale.
struct IfmrCandidate {
  float clip_min;
  float clip_max;
  float scale;

  bool operator==(const IfmrCandidate&) const = default;
};

// k of the k-th largest value that a percentile stands for, among `count` values (count >= 1).
uint64_t PercentileRank(double percentile, uint64_t count);

// The candidates for the given order statistics, in search order (the reference's 7.3). A candidate
// that maps every value to the same multiple of the same scale as an earlier one is left out: it
// can never win.
std::vector<IfmrCandidate> MakeIfmrCandidates(const IfmrOptions& options,
                                              std::span<const float> ratios, float smallest,
                                              float largest);

// The result if `scale` wins.
ActivationRange IfmrResult(const IfmrOptions& options, float scale, float smallest);

// The summed squared error of a candidate, without the part that is equal for all of them.
struct LossBounds {
  double lower;
  double upper;
  double estimate;
};

// Bounds for each candidate; nothing where the histogram is too coarse for it. They hold for the
// reference's own float32 arithmetic, element by element. `count` is the number of all values.
std::vector<std::optional<LossBounds>> BoundLosses(std::span<const IfmrCandidate> candidates,
                                                   const FineHistogram& histogram, uint64_t count);

}  // namespace lathe::quant::internal
