#include "lathe/quant/ada_scale.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "lathe/quant/affine.h"

namespace lathe::quant {
namespace {

constexpr size_t kBins = 512;
constexpr size_t kLevels = 255;
constexpr size_t kTrials = 20;

// Bins of [-largest, largest], as numpy counts them: the last is closed.
std::array<float, kBins> Histogram(std::span<const float> values, float largest) {
  std::array<float, kBins> counts = {};
  const double width = 2.0 * largest / kBins;
  const auto edge = [&](size_t bin) { return -double{largest} + static_cast<double>(bin) * width; };
  for (const float value : values) {
    const double place = (double{value} + largest) / width;
    auto bin = static_cast<size_t>(std::clamp(place, 0.0, double{kBins - 1}));
    if (bin > 0 && value < edge(bin)) --bin;
    if (bin + 1 < kBins && value >= edge(bin + 1)) ++bin;
    counts[bin] += 1.0f;
  }
  return counts;
}

// Empty bins get a little, the others too; false when there are too few of the latter.
void Smooth(std::vector<double>& bins) {
  constexpr double kLittle = 1e-4;
  const auto empty = std::ranges::count(bins, 0.0);
  const auto filled = static_cast<double>(bins.size()) - static_cast<double>(empty);
  if (filled == 0) return;
  const double share = kLittle * static_cast<double>(empty) / filled;
  if (share >= 1) return;
  for (double& bin : bins) bin = bin == 0 ? kLittle : bin + share;
}

double Divergence(std::vector<double> p, std::vector<double> q) {
  Smooth(p);
  Smooth(q);
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0);
  const double q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  double divergence = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double share = p[i] / p_sum;
    if (share > 0) divergence += share * std::log(share / (q[i] / q_sum));
  }
  return divergence;
}

// What is left of p when only kLevels groups of bins can be told apart: each group's sum, spread
// evenly over those of its bins that hold something.
std::vector<double> Coarse(const std::vector<double>& p) {
  std::vector<double> q(p.size(), 0.0);
  for (size_t group = 0; group < kLevels; ++group) {
    const size_t begin = (group * p.size() + kLevels - 1) / kLevels;
    const size_t end =
        group + 1 == kLevels ? p.size() : ((group + 1) * p.size() + kLevels - 1) / kLevels;
    double sum = 0;
    size_t filled = 0;
    for (size_t i = begin; i < end; ++i) {
      sum += p[i];
      filled += p[i] != 0 ? 1 : 0;
    }
    for (size_t i = begin; i < end; ++i) {
      if (p[i] != 0) q[i] = sum / static_cast<double>(filled);
    }
  }
  return q;
}

float KlScale(std::span<const float> values) {
  float largest = 0.0f;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  if (largest == 0.0f) return 1.0f;
  const std::array<float, kBins> histogram = Histogram(values, largest);
  double best = std::numeric_limits<double>::infinity();
  float scale = 1.0f;
  for (size_t cut = 0; cut < kTrials; ++cut) {
    std::vector<double> p(histogram.begin() + cut, histogram.end() - cut);
    for (size_t i = 0; i < cut; ++i) {
      p.front() += histogram[i];
      p.back() += histogram[kBins - 1 - i];
    }
    const double divergence = Divergence(p, Coarse(p));
    if (!(divergence < best)) continue;
    best = divergence;
    const double bound =
        double{largest} - static_cast<double>(cut) * (2.0 * largest / double{kBins});
    scale = static_cast<float>(bound / 128.0);
  }
  return scale < kMinScale ? 1.0f : scale;
}

}  // namespace

StatusOr<std::vector<float>> KlScales(std::span<const float> weights, const WeightLayout& layout) {
  if (weights.empty() || weights.size() != static_cast<size_t>(layout.size())) {
    return InvalidInput("the weight has {} values where its shape needs {}", weights.size(),
                        layout.size());
  }
  const auto bad = std::ranges::find_if(weights, [](float w) { return !std::isfinite(w); });
  if (bad != weights.end()) {
    return InvalidInput("the weight value at index {} is {}; only finite weights can be quantised",
                        bad - weights.begin(), *bad);
  }
  std::vector<float> scales;
  std::vector<float> channel_values;
  for (size_t wanted = 0; wanted < static_cast<size_t>(layout.channels()); ++wanted) {
    channel_values.clear();
    // Only the runs of one channel: they are found by arithmetic, not by walking all.
    const auto group = static_cast<int64_t>(wanted) / layout.local;
    const int64_t local = static_cast<int64_t>(wanted) % layout.local;
    for (int64_t outer = 0; outer < layout.outer; ++outer) {
      const auto begin = static_cast<size_t>(
          ((group * layout.outer + outer) * layout.local + local) * layout.inner);
      const auto run = weights.subspan(begin, static_cast<size_t>(layout.inner));
      channel_values.insert(channel_values.end(), run.begin(), run.end());
    }
    scales.push_back(KlScale(channel_values));
  }
  return scales;
}

}  // namespace lathe::quant
