#include "lathe/quant/hfmg.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

using testing::ElementsAre;

StatusOr<ActivationRange> Calibrate(const HfmgOptions& options,
                                    const std::vector<std::vector<float>>& batches) {
  LATHE_ASSIGN_OR_RETURN(HfmgObserver observer, HfmgObserver::Create(options));
  for (const auto& batch : batches) LATHE_RETURN_IF_ERROR(observer.Observe(batch));
  return observer.Finish();
}

std::vector<float> RampWithOutlier() {
  std::vector<float> values;
  for (int k = 0; k < 1000; ++k) values.push_back(static_cast<float>(0.01 * k - 3));
  values.push_back(20.0f);
  return values;
}

TEST(HfmgHistogram, BinsAreClosedBelow) {
  const HfmgHistogram histogram =
      MakeHfmgHistogram(std::vector{0.0f, 0.5f, 1.0f, 1.9f, 2.0f, 3.9f, 4.0f}, 0.0f, 4.0f, 4);
  EXPECT_THAT(histogram.counts, ElementsAre(2, 2, 1, 2));
}

TEST(HfmgHistogram, MergeExample) {
  const HfmgHistogram merged = MergeHfmgHistograms({0, 4, {4, 4, 4, 4}}, {-2, 6, {1, 2, 3, 4}});
  EXPECT_THAT(merged.counts, ElementsAre(1, 10, 11, 4));
}

TEST(HfmgHistogram, MergeOfEqualRangesAddsBins) {
  EXPECT_THAT(MergeHfmgHistograms({0, 4, {1, 2}}, {0, 4, {3, 4}}).counts, ElementsAre(4, 6));
}

TEST(HfmgHistogram, MergeSplitsStraddlingBinsRoundingDown) {
  // The old bin [1, 2) with 5 straddles the edge 1.5: 2.5 becomes 2 below.
  EXPECT_THAT(MergeHfmgHistograms({0, 2, {0, 5}}, {0, 3, {0, 0}}).counts, ElementsAre(2, 3));
}

TEST(HfmgHistogram, MergeOfConstantData) {
  const HfmgHistogram constant = MakeHfmgHistogram(std::vector{2.0f, 2.0f, 2.0f}, 2.0f, 2.0f, 4);
  EXPECT_THAT(MergeHfmgHistograms(constant, {0, 4, {1, 1, 1, 1}}).counts, ElementsAre(1, 1, 4, 1));
}

TEST(HfmgCandidates, Example) {
  EXPECT_THAT(HfmgCandidates(std::vector<int64_t>{0, 1, 5, 9, 9, 5, 1, 0}),
              ElementsAre(HfmgCandidate{0, 5}, HfmgCandidate{2, 5}, HfmgCandidate{2, 4}));
}

TEST(HfmgLoss, TestVector) {
  const HfmgHistogram histogram{-1, 3, {9, 9, 9, 9, 9, 6, 2, 1}};
  const auto candidates = HfmgCandidates(histogram.counts);
  EXPECT_THAT(candidates, ElementsAre(HfmgCandidate{0, 6}, HfmgCandidate{0, 5}, HfmgCandidate{0, 4},
                                      HfmgCandidate{0, 3}, HfmgCandidate{0, 2}));
  const double losses[] = {0.3604736, 1.1606445, 4.0605469, 11.9921875, 28.9150391};
  for (size_t i = 0; i < candidates.size(); ++i) {
    EXPECT_NEAR(HfmgLoss(histogram, candidates[i], 4), losses[i], 1e-6);
  }
}

TEST(Hfmg, TestVectorOfEightBins) {
  // Values in the middle of their bins, and the ends.
  const int counts[] = {9, 9, 9, 9, 9, 6, 2, 1};
  std::vector<float> values = {-1.0f, 3.0f};
  for (int bin = 0; bin < 8; ++bin) {
    const int more = counts[bin] - (bin == 0 || bin == 7 ? 1 : 0);
    for (int i = 0; i < more; ++i) values.push_back(-0.75f + 0.5f * static_cast<float>(bin));
  }
  const auto range = Calibrate({.num_bits = 4, .num_of_bins = 8}, {values});
  ASSERT_TRUE(range.ok());
  EXPECT_FLOAT_EQ(range->params.scale, 0.23333333f);
  EXPECT_EQ(range->params.offset, -4);
  EXPECT_EQ(range->clip_min, -1.0f);
  EXPECT_EQ(range->clip_max, 2.5f);
}

TEST(Hfmg, TestVectorOfRamp) {
  const auto range = Calibrate({.num_of_bins = 1024}, {RampWithOutlier()});
  ASSERT_TRUE(range.ok());
  EXPECT_NEAR(range->params.scale, 0.0901080f, 1e-7);
  EXPECT_EQ(range->params.offset, -95);
  const auto symmetric = Calibrate({.num_of_bins = 1024, .asymmetric = false}, {RampWithOutlier()});
  ASSERT_TRUE(symmetric.ok());
  EXPECT_NEAR(symmetric->params.scale, 0.15730345f, 1e-7);
  EXPECT_EQ(symmetric->params.offset, 0);
  const auto four_bits = Calibrate({.num_bits = 4, .num_of_bins = 1024}, {RampWithOutlier()});
  ASSERT_TRUE(four_bits.ok());
  EXPECT_NEAR(four_bits->params.scale, 1.5318359f, 1e-6);
  EXPECT_EQ(four_bits->params.offset, -6);
}

TEST(Hfmg, ConstantData) {
  const auto range = Calibrate({}, {std::vector<float>(50, 2.0f), std::vector<float>(50, 2.0f)});
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range->params, (AffineParams{2.0f / 255.0f, -128}));
  EXPECT_EQ(range->clip_min, 2.0f);
  EXPECT_EQ(range->clip_max, 2.0f);
  EXPECT_EQ(Calibrate({}, {std::vector<float>(5, 0.0f)})->params, (AffineParams{1.0f, -128}));
}

TEST(Hfmg, Errors) {
  EXPECT_EQ(HfmgObserver::Create({.num_bits = 1}).status().message(),
            "cannot quantise to 1 bits; 2 to 16 are possible");
  EXPECT_EQ(HfmgObserver::Create({.num_of_bins = 0}).status().message(),
            "a histogram of 0 bins is asked for; 1 to 65536 are possible");
  EXPECT_EQ(Calibrate({}, {}).status().message(), "no activation values were observed");
  EXPECT_EQ(Calibrate({}, {{}}).status().message(), "no activation values were observed");
  EXPECT_EQ(Calibrate({}, {{1.0f, std::nanf("")}}).status(),
            absl::OutOfRangeError("the activation holds a value that is NaN or infinite"));
  EXPECT_FALSE(Calibrate({}, {{1.0f, 1e30f}}).ok());
}

TEST(Hfmg, AnErrorStays) {
  auto observer = HfmgObserver::Create({});
  ASSERT_TRUE(observer.ok());
  EXPECT_FALSE(observer->Observe(std::vector{std::numeric_limits<float>::infinity()}).ok());
  EXPECT_FALSE(observer->Observe(std::vector{1.0f}).ok());
  EXPECT_FALSE(observer->Finish().ok());
}

// 7.4 written down once more, slowly and plainly.
struct Oracle {
  double min = 0, max = 0;
  std::vector<int64_t> counts;

  static std::vector<int64_t> Histogram(const std::vector<float>& batch, double min, double max,
                                        int bins) {
    std::vector<int64_t> counts(static_cast<size_t>(bins), 0);
    for (const float x : batch) {
      int bin = 0;
      const double width = (max - min) / bins;
      if (width > 0) bin = static_cast<int>(std::floor((double{x} - min) / width));
      if (bin >= bins) bin = bins - 1;
      counts[static_cast<size_t>(bin)] += 1;
    }
    return counts;
  }

  void Add(const std::vector<float>& batch, int bins) {
    double low = batch[0], high = batch[0];
    for (const float x : batch) low = std::min(low, double{x}), high = std::max(high, double{x});
    if (counts.empty()) {
      min = low, max = high, counts = Histogram(batch, min, max, bins);
      return;
    }
    low = std::min(low, min), high = std::max(high, max);
    std::vector<int64_t> merged = Histogram(batch, low, high, bins);
    const double width = (high - low) / bins, old_width = (max - min) / bins;
    for (int i = 0; i < bins; ++i) {
      const int64_t c = counts[static_cast<size_t>(i)];
      if (std::fabs(low - min) < 1.19e-7 && std::fabs(high - max) < 1.19e-7) {
        merged[static_cast<size_t>(i)] += c;
        continue;
      }
      const double lo = min + i * old_width, hi = min + (i + 1) * old_width;
      const int a = std::min(static_cast<int>(std::floor((lo - low) / width)), bins - 1);
      const int b = std::min(static_cast<int>(std::floor((hi - low) / width)), bins - 1);
      if (a == b) {
        merged[static_cast<size_t>(a)] += c;
      } else {
        const auto cl = static_cast<int64_t>(
            std::trunc(static_cast<double>(c) * (low + (a + 1) * width - lo) / (hi - lo)));
        merged[static_cast<size_t>(a)] += cl;
        merged[static_cast<size_t>(b)] += c - cl;
      }
    }
    min = low, max = high, counts = merged;
  }

  static double G(double u, double v, double d) { return (v * v * v - u * u * u) / 3.0 * d; }

  double Loss(int l, int r, int bits) const {
    const int bins = static_cast<int>(counts.size());
    const double w = (max - min) / bins;
    const int targets = 1 << bits;
    const double dw = w * (r - l + 1) / targets;
    if (dw < 1.192092896e-7) return 0.0;
    double loss = 0;
    for (int i = 0; i < bins; ++i) {
      const double b = (i - l) * w, e = b + w;
      const double d = static_cast<double>(counts[static_cast<size_t>(i)]) / w;
      const auto clamp = [&](double x) {
        return std::max(0.0, std::min(static_cast<double>(targets - 1), std::floor(x / dw)));
      };
      const double bi = clamp(b), ei = clamp(e), cb = bi * dw + dw / 2;
      if (bi == ei) {
        loss += G(b - cb, e - cb, d);
      } else {
        loss += G(b - cb, dw / 2, d) + (ei - bi - 1) * G(-dw / 2, dw / 2, d) +
                G(-dw / 2, e - (ei * dw + dw / 2), d);
      }
    }
    return loss;
  }

  std::pair<double, double> Clip(int bits) const {
    const int bins = static_cast<int>(counts.size());
    int64_t total = 0;
    for (const int64_t c : counts) total += c;
    const auto step =
        static_cast<int64_t>(std::max(1.0, std::ceil(static_cast<double>(total) / 100000.0)));
    const int stop = static_cast<int>(std::ceil(bins / 4.0));
    int left = 0, right = bins - 1, best_left = 0, best_right = bins - 1;
    double least = 1e300;
    while (right - left > stop) {
      int l = left, r = right;
      int64_t sl = 0, sr = 0;
      while (l < r && sl < step) sl += counts[static_cast<size_t>(l++)];
      while (l < r && sr < step) sr += counts[static_cast<size_t>(r--)];
      if (right - r >= l - left) {
        right = r;
      } else {
        left = l;
      }
      const double loss = Loss(left, right, bits);
      if (loss < least) least = loss, best_left = left, best_right = right;
    }
    const double w = (max - min) / bins;
    return {min + best_left * w, min + (best_right + 1) * w};
  }
};

TEST(Hfmg, IsTheOraclesOnGeneratedTensors) {
  std::mt19937_64 random(42);
  std::normal_distribution<float> normal;
  for (int tensor = 0; tensor < 120; ++tensor) {
    const int bins = std::array{8, 64, 1024}[random() % 3];
    const int bits = std::array{4, 8, 16}[random() % 3];
    const bool asymmetric = random() % 2 == 0;
    const float scale = std::exp(3.0f * normal(random));
    const int kind = static_cast<int>(random() % 5);
    std::vector<std::vector<float>> batches(1 + random() % 4);
    Oracle oracle;
    for (auto& batch : batches) {
      const float shift = normal(random);
      batch.resize(1 + random() % 5000);
      for (float& x : batch) {
        x = scale * (normal(random) + shift);
        if (kind == 1) x = std::max(x, 0.0f);
        if (kind == 2) x = std::round(4.0f * x) * 0.25f;
        if (kind == 3) x = scale;
        if (kind == 4) x *= x * x;
      }
      oracle.Add(batch, bins);
    }
    const auto range =
        Calibrate({.num_bits = bits, .num_of_bins = bins, .asymmetric = asymmetric}, batches);
    ASSERT_TRUE(range.ok()) << range.status();
    const auto [clip_min, clip_max] = oracle.Clip(bits);
    EXPECT_EQ(range->clip_min, static_cast<float>(clip_min));
    EXPECT_EQ(range->clip_max, static_cast<float>(clip_max));
    EXPECT_EQ(range->params,
              *CalculateScaleOffset(static_cast<float>(clip_min), static_cast<float>(clip_max),
                                    bits, !asymmetric));
  }
}

}  // namespace
}  // namespace lathe::quant
