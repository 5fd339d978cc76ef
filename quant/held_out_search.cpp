#include "lathe/quant/held_out_search.h"

#include <algorithm>
#include <cmath>

#include "lathe/quant/activation_range.h"

namespace lathe::quant {
namespace {

// A channel smaller than this share of the largest is balanced as if it were that large.
constexpr float kSmallestShare = 0.01f;
constexpr size_t kEnoughValues = 1024;

// The least that a range made from so many samples is widened by.
float LeastWidening(size_t samples) {
  constexpr size_t kFew = 64;
  return samples < kFew ? 1 + 2 / static_cast<float>(samples) : 0.0f;
}

// Rounds to nearest even for magnitudes below 2^22, and is vectorised on every machine.
float Round(float x) {
  constexpr float kMagic = 0x1.8p23f;
  return (x + kMagic) - kMagic;
}

// Sum of squared errors of the values, divided by `factor`, as the integers stand for them.
double SquaredError(std::span<const float> values, float factor, AffineParams params,
                    int num_bits) {
  const float step = 1 / (factor * params.scale);
  const auto offset = static_cast<float>(params.offset);
  const float low = static_cast<float>(MinQuantized(num_bits)) - offset;
  const float high = static_cast<float>(MaxQuantized(num_bits)) - offset;
  float sum = 0;
  for (const float value : values) {
    const float scaled = value * step;
    const float error = Round(std::clamp(scaled, low, high)) - scaled;
    sum += error * error;
  }
  return double{sum} * double{params.scale} * double{params.scale};
}

float Magnitude(float min, float max) { return std::max(std::abs(min), std::abs(max)); }

}  // namespace

HeldOutSearch::HeldOutSearch(size_t channels, const Options& options)
    : channels_(channels), options_(options), folds_(kFolds), squares_(channels) {
  for (Fold& fold : folds_) fold.seen.resize(channels);
}

void HeldOutSearch::Measure(size_t fold, std::span<const float> values,
                            const WeightLayout& layout) {
  Fold& mine = folds_[fold];
  mine.used = true;
  ++samples_;
  count_ += static_cast<double>(values.size()) / static_cast<double>(channels_);
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    Range range = mine.seen[channel];
    float sum = 0;
    for (const float value : values.subspan(begin, length)) {
      finite_ &= std::abs(value) < kMaxActivation;
      range.min = std::min(range.min, value);
      range.max = std::max(range.max, value);
      sum += value * value;
    }
    mine.seen[channel] = range;
    squares_[channel] += double{sum};
  });
}

std::vector<HeldOutSearch::Range> HeldOutSearch::Merge(std::optional<size_t> without) const {
  std::vector<Range> merged(channels_);
  for (size_t i = 0; i < folds_.size(); ++i) {
    if (i == without) continue;
    for (size_t c = 0; c < channels_; ++c) {
      merged[c].min = std::min(merged[c].min, folds_[i].seen[c].min);
      merged[c].max = std::max(merged[c].max, folds_[i].seen[c].max);
    }
  }
  return merged;
}

std::vector<float> HeldOutSearch::FactorsOf(std::span<const Range> seen, float strength) const {
  std::vector<float> factors(channels_, 1.0f);
  float largest = 0;
  for (const Range& range : seen) largest = std::max(largest, Magnitude(range.min, range.max));
  if (strength == 0 || largest == 0) return factors;
  for (size_t c = 0; c < channels_; ++c) {
    const float share = Magnitude(seen[c].min, seen[c].max) / largest;
    factors[c] = std::pow(std::max(share, kSmallestShare), strength);
  }
  return factors;
}

StatusOr<AffineParams> HeldOutSearch::ParamsOf(std::span<const Range> seen,
                                               std::span<const float> factors,
                                               float widening) const {
  Range whole;
  for (size_t c = 0; c < channels_; ++c) {
    whole.min = std::min(whole.min, seen[c].min / factors[c]);
    whole.max = std::max(whole.max, seen[c].max / factors[c]);
  }
  return CalculateScaleOffset(whole.min * widening, whole.max * widening, options_.num_bits,
                              !options_.asymmetric);
}

bool HeldOutSearch::FinishMeasuring() {
  const std::vector<Range> all = Merge(std::nullopt);
  Range whole;
  for (const Range& range : all) {
    whole.min = std::min(whole.min, range.min);
    whole.max = std::max(whole.max, range.max);
  }
  const auto kind = ClassifyRange({whole.min, whole.max}, options_.num_bits);
  if (!finite_ || kind != RangeKind::kUsable) return false;
  const bool alone = std::ranges::count_if(folds_, &Fold::used) == 1;
  for (size_t i = 0; i < folds_.size(); ++i) {
    Fold& fold = folds_[i];
    if (!fold.used) continue;
    const std::vector<Range> others = alone ? all : Merge(i);
    for (const float strength : kStrengths) {
      fold.factors.push_back(FactorsOf(others, strength));
      for (const float widening : kWidenings) {
        auto params = ParamsOf(others, fold.factors.back(), widening);
        if (!params.ok()) return false;
        fold.params.push_back(*params);
      }
    }
    fold.errors.resize(channels_ * kCandidates);
  }
  return true;
}

void HeldOutSearch::Try(size_t fold, std::span<const float> values, const WeightLayout& layout,
                        ThreadPool& pool) {
  Fold& mine = folds_[fold];
  const size_t of_channel = values.size() / channels_;
  // Odd, so that it does not follow the columns of an image.
  const size_t step = of_channel <= kEnoughValues ? 1 : of_channel / kEnoughValues | 1;
  std::vector<std::vector<float>> chosen(channels_);
  std::vector<size_t> passed(channels_);
  ForEachRun(layout, [&](size_t channel, size_t begin, size_t length) {
    size_t& place = passed[channel];
    for (; place < length; place += step) chosen[channel].push_back(values[begin + place]);
    place -= length;
  });
  const size_t strengths = options_.balance ? kStrengths.size() : 1;
  pool.ParallelFor(channels_, [&](size_t channel, int) {
    for (size_t s = 0; s < strengths; ++s) {
      const float factor = mine.factors[s][channel];
      for (size_t w = 0; w < kWidenings.size(); ++w) {
        const size_t candidate = s * kWidenings.size() + w;
        mine.errors[channel * kCandidates + candidate] +=
            double{factor} * double{factor} *
            SquaredError(chosen[channel], factor, mine.params[candidate], options_.num_bits);
      }
    }
  });
  if (!chosen.empty()) mine.values += static_cast<double>(chosen.front().size());
}

std::vector<float> HeldOutSearch::Factors(size_t strength) const {
  return FactorsOf(Merge(std::nullopt), kStrengths[strength]);
}

std::vector<double> HeldOutSearch::MeanSquares() const {
  std::vector<double> means = squares_;
  for (double& mean : means) mean /= std::max(count_, 1.0);
  return means;
}

StatusOr<HeldOutSearch::Choice> HeldOutSearch::Choose(std::span<const double> weight_power,
                                                      std::span<const double> weight_errors) const {
  const size_t strengths = options_.balance ? kStrengths.size() : 1;
  std::vector<double> errors(strengths * kWidenings.size());
  const auto used = static_cast<double>(std::ranges::count_if(folds_, &Fold::used));
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i] = weight_errors[i / kWidenings.size()];
    for (const Fold& fold : folds_) {
      if (!fold.used) continue;
      double sum = 0;
      for (size_t c = 0; c < channels_; ++c) {
        sum += weight_power[c] * fold.errors[c * kCandidates + i];
      }
      errors[i] += sum / fold.values / used;
    }
  }
  // The widest is always allowed.
  const float least = std::min(LeastWidening(samples_), kWidenings.back());
  size_t best = kWidenings.size() - 1;
  for (size_t i = 0; i < errors.size(); ++i) {
    if (kWidenings[i % kWidenings.size()] >= least && errors[i] < errors[best]) best = i;
  }
  const auto plain = static_cast<size_t>(std::ranges::find(kWidenings, 1.0f) - kWidenings.begin());
  const size_t strength = best / kWidenings.size();
  Choice choice;
  choice.strength = kStrengths[strength];
  choice.widening = kWidenings[best % kWidenings.size()];
  choice.error = errors[best];
  choice.plain_error = errors[plain];
  const std::vector<Range> all = Merge(std::nullopt);
  const std::vector<float> factors = FactorsOf(all, choice.strength);
  LATHE_ASSIGN_OR_RETURN(choice.params, ParamsOf(all, factors, choice.widening));
  if (strength > 0) choice.factors = factors;
  return choice;
}

}  // namespace lathe::quant
