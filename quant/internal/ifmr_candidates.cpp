#include "lathe/quant/internal/ifmr_candidates.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <absl/numeric/int128.h>

namespace lathe::quant::internal {
namespace {

// The number of the multiple of `scale` that float32 arithmetic rounds `value` to.
float CellOf(float value, float scale) { return std::nearbyint(value / scale); }

// The smallest float that falls into cell `cell` or above; cell >= 1.
float CellBegin(int32_t cell, float scale) {
  const float target = static_cast<float>(cell);
  float value = static_cast<float>((cell - 0.5) * scale);
  const auto step = [](float x, int32_t by) {
    return std::bit_cast<float>(std::bit_cast<int32_t>(x) + by);
  };
  while (CellOf(value, scale) >= target) value = step(value, -1);
  while (CellOf(value, scale) < target) value = step(value, 1);
  return value;
}

// One sign of the histogram, with what lies at and above each bin.
struct Tail {
  Tail(const FineHistogram& histogram, Sign sign)
      : width(histogram.width()),
        counts(histogram.counts(sign)),
        sums(histogram.sums(sign)),
        count_above(kTableSize + 1),
        sum_above(kTableSize + 1) {
    uint64_t count = 0;
    absl::uint128 sum = 0;
    const double unit = std::ldexp(width, -kFractionBits);
    for (size_t bin = kTableSize; bin-- > kFirstBin;) {
      count += counts[bin];
      sum += (absl::uint128(counts[bin]) * bin << kFractionBits) + sums[bin];
      count_above[bin] = static_cast<double>(count);
      sum_above[bin] = static_cast<double>(sum) * unit;
    }
  }

  // What the magnitudes in `bin` exceed its begin by, summed.
  double Excess(size_t bin) const {
    return static_cast<double>(sums[bin]) * std::ldexp(width, -kFractionBits);
  }

  // At least the sum of squares of all values in the kept bins: each is below the chord of its bin.
  double LargestSquares() const {
    double squares = 0.0;
    for (size_t bin = kFirstBin; bin < kTableSize; ++bin) {
      if (counts[bin] == 0) continue;
      const double begin = static_cast<double>(bin) * width;
      squares +=
          static_cast<double>(counts[bin]) * begin * begin + (2.0 * begin + width) * Excess(bin);
    }
    return squares;
  }

  double width;
  std::span<const uint64_t> counts;
  std::span<const uint64_t> sums;
  std::vector<double> count_above;
  std::vector<double> sum_above;
};

// Adds one sign's part. With cells k = 0..last of reconstructed magnitude g_k = float(k * scale),
// the loss is
//   sum of x^2 + sum over k of sum over values y in cell k or above of g_k^2 - g_(k-1)^2 - 2 (g_k -
//   g_(k-1)) y.
// `size` sums the absolute parts, for the rounding of this computation itself. False when too
// coarse.
bool AddSide(const Tail& tail, float scale, int32_t last, LossBounds& bounds, double& size) {
  for (int32_t cell = 1; cell <= last; ++cell) {
    const double inner = static_cast<float>(cell - 1) * scale;
    const double outer = static_cast<float>(cell) * scale;
    const double distance = outer - inner;
    const double middle = 0.5 * (outer + inner);
    const double begin = CellBegin(cell, scale);
    const double position = begin / tail.width;
    if (position >= static_cast<double>(kTableSize)) break;
    const size_t bin = static_cast<size_t>(position);
    if (bin < kFirstBin) return false;

    const double moved = middle * tail.count_above[bin + 1];
    const double gain = 2.0 * distance * (moved - tail.sum_above[bin + 1]);
    size += 2.0 * distance * (moved + tail.sum_above[bin + 1]);
    bounds.lower += gain;
    bounds.upper += gain;
    bounds.estimate += gain;
    if (tail.counts[bin] == 0) continue;

    // Those in this bin from `begin` on gain 2 * distance * (their sum of y - middle), which their
    // number and sum in the whole bin bound: from below all lie on one spot, from above they lie at
    // the two ends.
    const double count = static_cast<double>(tail.counts[bin]);
    const double excess = tail.Excess(bin);
    const double bin_begin = static_cast<double>(bin) * tail.width;
    const double part = (bin_begin + tail.width - begin) / tail.width;
    const double least = std::max(0.0, excess - count * (begin - bin_begin));
    const double most = std::max(least, part * excess);
    const double uniform = 0.5 * count * tail.width * part * part;
    const double tilt = (excess - 0.5 * count * tail.width) * part * part * (3.0 - 2.0 * part);
    // Rounding puts the cell's begin some last places beside the middle.
    const double beside = count * (begin - middle);
    bounds.lower -= 2.0 * distance * (most + std::max(beside, 0.0));
    bounds.upper -= 2.0 * distance * (least + std::min(beside, 0.0));
    bounds.estimate -= 2.0 * distance * std::clamp(uniform + tilt, least, most);
    size += 2.0 * distance * count * outer;
  }
  return true;
}

}  // namespace

uint64_t PercentileRank(double percentile, uint64_t count) {
  if (1.0 - percentile < double{kMinScale}) return 1;
  return count - static_cast<uint64_t>(percentile * static_cast<double>(count));
}

std::vector<IfmrCandidate> MakeIfmrCandidates(const IfmrOptions& options,
                                              std::span<const float> ratios, float smallest,
                                              float largest) {
  // The comparison, unlike max and min, never gives -0.
  const float vmax = largest > 0.0f ? largest : 0.0f;
  const float vmin = smallest < 0.0f ? smallest : 0.0f;
  const int32_t half = int32_t{1} << (options.num_bits - 1);
  const auto same = [](const IfmrCandidate& a, const IfmrCandidate& b) {
    return a.scale == b.scale && CellOf(a.clip_max, a.scale) == CellOf(b.clip_max, b.scale) &&
           CellOf(a.clip_min, a.scale) == CellOf(b.clip_min, b.scale);
  };
  std::vector<IfmrCandidate> candidates;
  for (const float ratio : ratios) {
    IfmrCandidate candidate{};
    if (options.asymmetric) {
      candidate.clip_max = ratio * vmax;
      candidate.clip_min = vmin;
      candidate.scale = (candidate.clip_max - vmin) / static_cast<float>(2 * half - 1);
    } else {
      candidate.clip_max = ratio * std::max(vmax, -vmin);
      candidate.clip_min = -candidate.clip_max;
      candidate.scale = candidate.clip_max / static_cast<float>(vmax < -vmin ? half : half - 1);
    }
    if (!std::isfinite(candidate.scale)) continue;
    if (candidate.scale < kMinScale) candidate.scale = 1.0f;
    if (candidates.empty() || !same(candidates.back(), candidate)) candidates.push_back(candidate);
  }
  return candidates;
}

ActivationRange IfmrResult(const IfmrOptions& options, float scale, float smallest) {
  const float vmin = smallest < 0.0f ? smallest : 0.0f;
  const int32_t lowest = MinQuantized(options.num_bits);
  const int32_t highest = MaxQuantized(options.num_bits);
  const int32_t offset =
      options.asymmetric ? lowest - static_cast<int32_t>(std::nearbyint(vmin / scale)) : 0;
  return {.params = {scale, offset},
          .clip_min = static_cast<float>(lowest - offset) * scale,
          .clip_max = static_cast<float>(highest - offset) * scale};
}

std::vector<std::optional<LossBounds>> BoundLosses(std::span<const IfmrCandidate> candidates,
                                                   const FineHistogram& histogram, uint64_t count) {
  const Tail positive(histogram, Sign::kPositive);
  const Tail negative(histogram, Sign::kNegative);
  const double kept = positive.count_above[kFirstBin] + negative.count_above[kFirstBin];
  const double dropped_size = static_cast<double>(kFirstBin) * histogram.width();
  const double squares = positive.LargestSquares() + negative.LargestSquares() +
                         (static_cast<double>(count) - kept) * dropped_size * dropped_size;

  std::vector<std::optional<LossBounds>> bounds;
  bounds.reserve(candidates.size());
  for (const IfmrCandidate& candidate : candidates) {
    LossBounds loss{};
    double size = 0.0;
    const auto last = [&](float clip) {
      return static_cast<int32_t>(std::abs(CellOf(clip, candidate.scale)));
    };
    if (!AddSide(positive, candidate.scale, last(candidate.clip_max), loss, size) ||
        !AddSide(negative, candidate.scale, last(candidate.clip_min), loss, size)) {
      bounds.emplace_back();
      continue;
    }
    // The reference subtracts and squares in float32, which changes an element's square by less
    // than 4 * 2^-24 of it (and 2^-149, where it underflows); cells and multiples above are already
    // float32's own. The second part covers the double arithmetic above.
    const double slack = 0x1p-22 * std::max(squares + loss.upper, 0.0) +
                         0x1p-46 * (size + squares) + 0x1p-149 * static_cast<double>(count);
    loss.lower -= slack;
    loss.upper += slack;
    bounds.emplace_back(loss);
  }
  return bounds;
}

}  // namespace lathe::quant::internal
