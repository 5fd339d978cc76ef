// The activation range and the balance factors of one layer by their error on data that they were
// not made from.
//
// IFMR fits the range to all data; with few samples, and a range for each channel, as balancing
// makes it, that is too tight for the next sample. Here the batches are dealt into folds: for each
// fold the candidates are made from all other folds and measured on it, and the candidate with the
// smallest mean error is made once more, from everything.
//
//   search.Measure(fold, ...) for all data; search.FinishMeasuring();
//   search.Try(fold, ...) for all data; search.Choose(...)
//
// With few samples the next one may well be larger than all of them (with a chance of 1 / (n + 1)),
// which no fold shows in time: below 64 samples the range is widened by at least 1 + 2 / n.
//
// A candidate is a strength s, 0 to 1 (the activation of channel c is divided by (largest magnitude
// of c / largest of all)^s, its weights are multiplied by it), and a widening of the range that was
// seen, 0.6 to 1.5.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lathe/quant/affine.h"
#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"
#include "lathe/support/thread_pool.h"

namespace lathe::quant {

class HeldOutSearch {
 public:
  static constexpr size_t kFolds = 4;
  static constexpr std::array<float, 5> kStrengths = {0.0f, 0.25f, 0.5f, 0.75f, 1.0f};
  static constexpr std::array<float, 8> kWidenings = {0.6f, 0.7f, 0.8f,  0.9f,
                                                      1.0f, 1.1f, 1.25f, 1.5f};

  struct Options {
    int num_bits = 8;
    bool asymmetric = true;
    // Whether strengths above 0 are candidates.
    bool balance = true;
  };

  struct Choice {
    float strength = 0;
    float widening = 1;
    // One a channel; empty where the strength is 0.
    std::vector<float> factors;
    AffineParams params;
    // Mean squared error of the layer's output, by the weights' squares, of the choice and of the
    // plain range (strength 0, widening 1).
    double error = 0;
    double plain_error = 0;
  };

  // Memory: about 1.5 KB a channel.
  HeldOutSearch(size_t channels, const Options& options);

  // A batch of fold `fold` (below kFolds); `layout` tells the channel of each value. Every batch
  // must come in the same fold both times. One thread at a time.
  void Measure(size_t fold, std::span<const float> values, const WeightLayout& layout);
  // False: the data is not finite, constant or too small, and there is nothing to choose.
  bool FinishMeasuring();
  // At most about 1024 values of a channel and sample are looked at, evenly spaced.
  void Try(size_t fold, std::span<const float> values, const WeightLayout& layout,
           ThreadPool& pool);

  // After FinishMeasuring: the factors of a strength from all data; and the mean square of each
  // channel.
  std::vector<float> Factors(size_t strength) const;
  std::vector<double> MeanSquares() const;

  // `weight_power`: for each channel the sum of the squares of the weights that meet it.
  // `weight_errors`: for each of kStrengths what rounding the balanced weights adds to the error.
  // Error: no parameters for the range.
  StatusOr<Choice> Choose(std::span<const double> weight_power,
                          std::span<const double> weight_errors) const;

 private:
  static constexpr size_t kCandidates = kStrengths.size() * kWidenings.size();

  // What a candidate makes of a channel.
  struct Range {
    float min = 0;
    float max = 0;
  };
  // Of each channel, in the data but that of one fold.
  struct Fold {
    std::vector<Range> seen;
    // Of all other folds: for each strength the factors; for each candidate the parameters.
    std::vector<std::vector<float>> factors;
    std::vector<AffineParams> params;
    // [channel, candidate]: sums of squared errors of this fold's values, and how many of a
    // channel.
    std::vector<double> errors;
    double values = 0;
    bool used = false;
  };

  std::vector<Range> Merge(std::optional<size_t> without) const;
  std::vector<float> FactorsOf(std::span<const Range> seen, float strength) const;
  StatusOr<AffineParams> ParamsOf(std::span<const Range> seen, std::span<const float> factors,
                                  float widening) const;

  size_t channels_;
  Options options_;
  std::vector<Fold> folds_;
  std::vector<double> squares_;
  double count_ = 0;
  size_t samples_ = 0;
  bool finite_ = true;
};

}  // namespace lathe::quant
