// HFMG: the activation range by searching a histogram (the reference's 7.4).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/quant/activation_range.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct HfmgOptions {
  int num_bits = 8;
  int64_t num_of_bins = 4096;
  // With an offset; the configuration's `asymmetric` or `with_offset`.
  bool asymmetric = true;
};

// Equal bins over [min, max]; bin k covers [min + k * width, min + (k + 1) * width), the last one
// its end too.
struct HfmgHistogram {
  float min = 0.0f;
  float max = 0.0f;
  std::vector<int64_t> counts;

  double width() const { return (double{max} - double{min}) / static_cast<double>(counts.size()); }
};

// The histogram of `values` (at least one, all finite) over [min, max], which holds them all.
HfmgHistogram MakeHfmgHistogram(std::span<const float> values, float min, float max,
                                int64_t num_of_bins);

// The first histogram with the second added, over the range of the second, which contains that of
// the first; as many bins. Bins that straddle two are split by the share of their length, rounded
// down (7.4's merge).
HfmgHistogram MergeHfmgHistograms(const HfmgHistogram& old, HfmgHistogram added);

// First and last bin of a candidate.
struct HfmgCandidate {
  int64_t first;
  int64_t last;

  bool operator==(const HfmgCandidate&) const = default;
};

// The candidates in search order, each narrower than the one before; the full range is not among
// them.
std::vector<HfmgCandidate> HfmgCandidates(std::span<const int64_t> counts);

// The loss of quantising everything to 2^num_bits bins over the candidate. Costs time for each bin.
double HfmgLoss(const HfmgHistogram& histogram, HfmgCandidate candidate, int num_bits);

// One activation tensor. Memory: the bins. Batches must come whole and in order, because the
// reference merges their histograms in that order; one thread at a time.
class HfmgObserver {
 public:
  // Errors: options out of range (num_bits 2..16, num_of_bins 1..65536).
  static StatusOr<HfmgObserver> Create(const HfmgOptions& options);

  // Takes in the whole tensor of one batch; two sweeps over it. Nothing happens for an empty one.
  // Error (OutOfRange): the data holds a value that is not finite, or of 2^62 or more.
  Status Observe(std::span<const float> batch);

  // The range with the smallest loss, the first of equal ones. Costs candidates times 2^num_bits, and
  // times the bins for those that may be the best.
  // Errors: what Observe found; no data.
  StatusOr<ActivationRange> Finish() const;

  DataRange data_range() const { return {histogram_.min, histogram_.max}; }

 private:
  explicit HfmgObserver(const HfmgOptions& options) : options_(options) {}

  HfmgOptions options_;
  HfmgHistogram histogram_;
  Status status_;
};

}  // namespace lathe::quant
