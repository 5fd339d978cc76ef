#include "lathe/quant/hfmg.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lathe/quant/internal/kernels.h"

namespace lathe::quant {
namespace {

// Bounds closer than this are the same range (7.4).
constexpr double kSameBound = 1.19e-7;

constexpr int64_t kMaxBins = 65536;

// The integral of v^2 * density from u to v.
double SquareIntegral(double u, double v, double density) {
  return (v * v * v - u * u * u) / 3.0 * density;
}

bool SameRange(const HfmgHistogram& a, const HfmgHistogram& b) {
  return std::abs(double{a.min} - double{b.min}) < kSameBound &&
         std::abs(double{a.max} - double{b.max}) < kSameBound;
}

}  // namespace

HfmgHistogram MakeHfmgHistogram(std::span<const float> values, float min, float max,
                                int64_t num_of_bins) {
  HfmgHistogram histogram{min, max, std::vector<int64_t>(static_cast<size_t>(num_of_bins))};
  const double width = histogram.width();
  if (width == 0.0) {
    histogram.counts[0] = static_cast<int64_t>(values.size());
    return histogram;
  }
  for (const float value : values) {
    const int64_t bin = static_cast<int64_t>((double{value} - double{min}) / width);
    ++histogram.counts[static_cast<size_t>(std::min(bin, num_of_bins - 1))];
  }
  return histogram;
}

HfmgHistogram MergeHfmgHistograms(const HfmgHistogram& old, HfmgHistogram added) {
  if (SameRange(old, added)) {
    for (size_t i = 0; i < old.counts.size(); ++i) added.counts[i] += old.counts[i];
    return added;
  }
  const double origin = added.min;
  const double width = added.width();
  const double old_width = old.width();
  const int64_t last = static_cast<int64_t>(added.counts.size()) - 1;
  const auto bin_of = [&](double x) {
    return std::clamp(static_cast<int64_t>(std::floor((x - origin) / width)), int64_t{0}, last);
  };
  for (size_t i = 0; i < old.counts.size(); ++i) {
    const int64_t count = old.counts[i];
    if (count == 0) continue;
    const double begin = double{old.min} + static_cast<double>(i) * old_width;
    const double end = double{old.min} + static_cast<double>(i + 1) * old_width;
    const int64_t first = bin_of(begin);
    const int64_t second = bin_of(end);
    int64_t left = count;
    if (first != second) {
      const double edge = origin + static_cast<double>(first + 1) * width;
      left = static_cast<int64_t>(static_cast<double>(count) * (edge - begin) / (end - begin));
    }
    added.counts[static_cast<size_t>(first)] += left;
    added.counts[static_cast<size_t>(second)] += count - left;
  }
  return added;
}

std::vector<HfmgCandidate> HfmgCandidates(std::span<const int64_t> counts) {
  const int64_t bins = static_cast<int64_t>(counts.size());
  int64_t total = 0;
  for (const int64_t count : counts) total += count;
  const int64_t step = std::max<int64_t>((total + 99999) / 100000, 1);
  const int64_t stop = (bins + 3) / 4;
  std::vector<HfmgCandidate> candidates;
  int64_t first = 0;
  int64_t last = bins - 1;
  while (last - first > stop) {
    int64_t left = first;
    int64_t right = last;
    for (int64_t sum = 0; left < right && sum < step; ++left)
      sum += counts[static_cast<size_t>(left)];
    for (int64_t sum = 0; left < right && sum < step; --right)
      sum += counts[static_cast<size_t>(right)];
    // The side that frees more bins is dropped, the right one when they free as many.
    if (last - right >= left - first) {
      last = right;
    } else {
      first = left;
    }
    candidates.push_back({first, last});
  }
  return candidates;
}

double HfmgLoss(const HfmgHistogram& histogram, HfmgCandidate candidate, int num_bits) {
  const double width = histogram.width();
  const int64_t targets = int64_t{1} << num_bits;
  const double target_width = width * static_cast<double>(candidate.last - candidate.first + 1) /
                              static_cast<double>(targets);
  if (target_width < double{kMinScale}) return 0.0;
  const double half = target_width / 2.0;
  const double last_target = static_cast<double>(targets - 1);
  // Clamped first, so that cutting off is the floor.
  const auto target_of = [&](double position) {
    const double target = std::clamp(position / target_width, 0.0, last_target);
    return static_cast<double>(static_cast<int32_t>(target));
  };
  double loss = 0.0;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    if (histogram.counts[i] == 0) continue;
    const double begin = (static_cast<double>(i) - static_cast<double>(candidate.first)) * width;
    const double end = begin + width;
    const double density = static_cast<double>(histogram.counts[i]) / width;
    const double begin_target = target_of(begin);
    const double end_target = target_of(end);
    const double begin_centre = begin_target * target_width + half;
    if (begin_target == end_target) {
      loss += SquareIntegral(begin - begin_centre, end - begin_centre, density);
      continue;
    }
    const double end_centre = end_target * target_width + half;
    loss += SquareIntegral(begin - begin_centre, half, density) +
            (end_target - begin_target - 1.0) * SquareIntegral(-half, half, density) +
            SquareIntegral(-half, end - end_centre, density);
  }
  return loss;
}

namespace {

// HfmgLoss for many candidates of one histogram, in another order of additions: to one part in 10^9
// the same, in steps of the targets instead of the bins.
class LossEstimate {
 public:
  explicit LossEstimate(const HfmgHistogram& histogram) : bins_(histogram.counts.size()) {
    counts_.resize(bins_ + 1);
    moments_.resize(bins_ + 1);
    squares_.resize(bins_ + 1);
    double most = 0.0;
    for (size_t i = 0; i < bins_; ++i) {
      const int64_t count = histogram.counts[i];
      const auto at = static_cast<int64_t>(i);
      most += static_cast<double>(count) * static_cast<double>(bins_) * static_cast<double>(bins_);
      if (most > kMostSum) return;
      counts_[i + 1] = counts_[i] + count;
      moments_[i + 1] = moments_[i] + count * at;
      squares_[i + 1] = squares_[i] + count * at * at;
    }
    is_exact_ = true;
  }

  // The sums fit, a target is at least as wide as a bin, and its width is not taken for nothing.
  bool IsUsable(const HfmgHistogram& histogram, HfmgCandidate candidate, int64_t targets) const {
    const double bins_each =
        static_cast<double>(candidate.last - candidate.first + 1) / static_cast<double>(targets);
    return is_exact_ && bins_each >= 1.0 && histogram.width() * bins_each > 2 * double{kMinScale};
  }

  // The loss in squares of a bin's width.
  double Loss(HfmgCandidate candidate, int64_t targets) const {
    const double each =
        static_cast<double>(candidate.last - candidate.first + 1) / static_cast<double>(targets);
    const double half = each / 2.0;
    const double half_cube = half * half * half;
    const auto first = static_cast<double>(candidate.first);
    double loss = 0.0;
    size_t from = 0;
    for (int64_t target = 0; target + 1 < targets; ++target) {
      const double edge = first + static_cast<double>(target + 1) * each;
      const auto cut = std::min(static_cast<size_t>(edge), bins_ - 1);
      loss += Inside(from, cut, edge - half);
      // The bin that the edge cuts in two, or that begins there.
      const double count = static_cast<double>(counts_[cut + 1] - counts_[cut]);
      if (count != 0.0) {
        const double left = static_cast<double>(cut) - edge + half;
        const double right = left + 1.0 - each;
        loss +=
            count * ((half_cube - left * left * left) + (right * right * right + half_cube)) / 3.0;
      }
      from = cut + 1;
    }
    return loss + Inside(from, bins_, first + (static_cast<double>(targets) - 0.5) * each);
  }

 private:
  static constexpr double kMostSum = 1e18;

  // Of the bins [from, to), all of whose values become `centre`.
  double Inside(size_t from, size_t to, double centre) const {
    if (from >= to) return 0.0;
    const int64_t count = counts_[to] - counts_[from];
    if (count == 0) return 0.0;
    // Around the first bin, so that nothing large cancels.
    const auto origin = static_cast<int64_t>(from);
    const int64_t moment = moments_[to] - moments_[from];
    const auto square = static_cast<double>(squares_[to] - squares_[from] - 2 * origin * moment +
                                            origin * origin * count);
    const auto sum = static_cast<double>(moment - origin * count);
    const auto n = static_cast<double>(count);
    const double shift = static_cast<double>(from) - centre;
    // The integral of v^2 from i - centre to i + 1 - centre, summed over the bins i.
    return square + (2.0 * shift + 1.0) * sum + (shift * shift + shift + 1.0 / 3.0) * n;
  }

  size_t bins_;
  bool is_exact_ = false;
  // Sums over the first bins of the count, of index * count and of index^2 * count.
  std::vector<int64_t> counts_;
  std::vector<int64_t> moments_;
  std::vector<int64_t> squares_;
};

// Those whose loss may be the smallest, in order.
std::vector<HfmgCandidate> Promising(const HfmgHistogram& histogram, int num_bits) {
  std::vector<HfmgCandidate> candidates = HfmgCandidates(histogram.counts);
  const int64_t targets = int64_t{1} << num_bits;
  const LossEstimate estimate(histogram);
  // The last is the narrowest.
  if (candidates.empty() || !estimate.IsUsable(histogram, candidates.back(), targets)) {
    return candidates;
  }
  std::vector<double> losses;
  losses.reserve(candidates.size());
  for (const HfmgCandidate candidate : candidates) {
    losses.push_back(estimate.Loss(candidate, targets));
  }
  constexpr double kMargin = 1e-6;
  const double most = *std::ranges::min_element(losses) * (1.0 + kMargin);
  std::vector<HfmgCandidate> promising;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (losses[i] <= most) promising.push_back(candidates[i]);
  }
  return promising;
}

}  // namespace

StatusOr<HfmgObserver> HfmgObserver::Create(const HfmgOptions& options) {
  if (options.num_bits < 2 || options.num_bits > 16) {
    return InvalidInput("cannot quantise to {} bits; 2 to 16 are possible", options.num_bits);
  }
  if (options.num_of_bins < 1 || options.num_of_bins > kMaxBins) {
    return InvalidInput("a histogram of {} bins is asked for; 1 to {} are possible",
                        options.num_of_bins, kMaxBins);
  }
  return HfmgObserver(options);
}

Status HfmgObserver::Observe(std::span<const float> batch) {
  LATHE_RETURN_IF_ERROR(status_);
  if (batch.empty()) return OkStatus();
  const internal::ValueRange seen = internal::BestKernels().find_range(batch.data(), batch.size());
  if (!seen.finite()) return status_ = NonFiniteActivation();
  if (std::max(std::abs(seen.min()), std::abs(seen.max())) >= kMaxActivation) {
    return status_ = HugeActivation({seen.min(), seen.max()});
  }
  const bool first = histogram_.counts.empty();
  const float min = first ? seen.min() : std::min(seen.min(), histogram_.min);
  const float max = first ? seen.max() : std::max(seen.max(), histogram_.max);
  HfmgHistogram added = MakeHfmgHistogram(batch, min, max, options_.num_of_bins);
  histogram_ = first ? std::move(added) : MergeHfmgHistograms(histogram_, std::move(added));
  return OkStatus();
}

StatusOr<ActivationRange> HfmgObserver::Finish() const {
  LATHE_RETURN_IF_ERROR(status_);
  if (histogram_.counts.empty()) return InvalidInput("no activation values were observed");
  HfmgCandidate best{0, static_cast<int64_t>(histogram_.counts.size()) - 1};
  double least = std::numeric_limits<double>::infinity();
  for (const HfmgCandidate candidate : Promising(histogram_, options_.num_bits)) {
    const double loss = HfmgLoss(histogram_, candidate, options_.num_bits);
    if (!(loss < least)) continue;
    least = loss;
    best = candidate;
  }
  const double width = histogram_.width();
  ActivationRange range;
  range.clip_min =
      static_cast<float>(double{histogram_.min} + static_cast<double>(best.first) * width);
  range.clip_max =
      static_cast<float>(double{histogram_.min} + static_cast<double>(best.last + 1) * width);
  LATHE_ASSIGN_OR_RETURN(range.params,
                         CalculateScaleOffset(range.clip_min, range.clip_max, options_.num_bits,
                                              !options_.asymmetric));
  return range;
}

}  // namespace lathe::quant
