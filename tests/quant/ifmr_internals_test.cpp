#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "lathe/quant/internal/fine_histogram.h"
#include "lathe/quant/internal/ifmr_candidates.h"
#include "lathe/quant/internal/largest_values.h"
#include "lathe/quant/internal/radix_selection.h"

namespace lathe::quant::internal {
namespace {

std::vector<float> Values(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& x : values) x = normal(random) * std::exp(2.0f * normal(random));
  return values;
}

float Magnitude(std::span<const float> values) {
  float largest = 0.0f;
  for (const float x : values) largest = std::max(largest, std::abs(x));
  return largest;
}

void Add(FineHistogram& histogram, std::span<const float> values, int exponent) {
  FineHistogramScratch scratch;
  FineHistogram::Collect(scratch, exponent, values);
  histogram.Take(scratch, exponent, {kTableSize, kTableSize});
}

TEST(FineHistogram, ExponentHoldsTheMagnitude) {
  for (const float x : {1.0f, 1.5f, std::nextafter(2.0f, 0.0f), 2.0f, 1e-10f, 1e18f}) {
    const int exponent = FineHistogram::ExponentFor(x);
    EXPECT_LT(x, std::ldexp(1.0, exponent + kTableBits));
    EXPECT_GE(x, std::ldexp(1.0, exponent + kTableBits - 1));
  }
  EXPECT_EQ(FineHistogram::ExponentFor(0.0f), -60);
  EXPECT_EQ(FineHistogram::ExponentFor(1e-30f), -60);
}

TEST(FineHistogram, HoldsExactSums) {
  const std::vector<float> values = Values(4096, 1);
  FineHistogram histogram;
  ASSERT_TRUE(histogram.allocated());
  Add(histogram, values, FineHistogram::ExponentFor(Magnitude(values)));
  const double width = histogram.width();
  std::vector<double> excess(2 * kTableSize);
  std::vector<uint64_t> counts(2 * kTableSize);
  for (const float x : values) {
    const auto bin = static_cast<size_t>(std::abs(double{x}) / width);
    const size_t place = bin + (x < 0 ? kTableSize : 0);
    ++counts[place];
    excess[place] += std::abs(double{x}) - static_cast<double>(bin) * width;
  }
  for (const Sign sign : {Sign::kPositive, Sign::kNegative}) {
    for (size_t bin = kFirstBin; bin < kTableSize; ++bin) {
      const size_t place = bin + (sign == Sign::kNegative ? kTableSize : 0);
      ASSERT_EQ(histogram.counts(sign)[bin], counts[place]);
      ASSERT_EQ(static_cast<double>(histogram.sums(sign)[bin]) * width * 0x1p-20, excess[place]);
    }
  }
}

TEST(FineHistogram, DoesNotDependOnOrderOrOnTheWidthsOnTheWay) {
  const std::vector<float> values = Values(40000, 2);
  const int last = FineHistogram::ExponentFor(Magnitude(values));
  FineHistogram whole;
  for (size_t begin = 0; begin < values.size(); begin += 4000) {
    Add(whole, std::span(values).subspan(begin, 4000), last);
  }
  std::mt19937_64 random(3);
  for (int round = 0; round < 10; ++round) {
    std::vector<std::span<const float>> pieces;
    for (size_t begin = 0; begin < values.size();) {
      const size_t length = std::min<size_t>(1 + random() % 4096, values.size() - begin);
      pieces.push_back(std::span(values).subspan(begin, length));
      begin += length;
    }
    std::shuffle(pieces.begin(), pieces.end(), random);
    FineHistogram histogram;
    for (const auto piece : pieces) {
      // As fine as the piece allows, or coarser, as it comes.
      const int needed = FineHistogram::ExponentFor(Magnitude(piece));
      Add(histogram, piece,
          needed + static_cast<int>(random() % static_cast<size_t>(last - needed + 1)));
    }
    ASSERT_EQ(histogram.exponent(), last);
    for (const Sign sign : {Sign::kPositive, Sign::kNegative}) {
      for (size_t bin = kFirstBin; bin < kTableSize; ++bin) {
        ASSERT_EQ(histogram.counts(sign)[bin], whole.counts(sign)[bin]);
        ASSERT_EQ(histogram.sums(sign)[bin], whole.sums(sign)[bin]);
      }
    }
  }
}

TEST(BoundLosses, EncloseTheExactLosses) {
  for (const uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
    std::vector<float> values = Values(4096, seed);
    for (float& x : values) {
      x = std::clamp(x, -3.0f, 3.0f);
      // Many values on one spot, and a lattice that meets cell borders.
      if (seed > 3) x = std::round(x * 32.0f) / 32.0f;
    }
    FineHistogram histogram;
    Add(histogram, values, FineHistogram::ExponentFor(Magnitude(values)));
    for (const bool asymmetric : {true, false}) {
      for (const int num_bits : {4, 8}) {
        const IfmrOptions options{.num_bits = num_bits, .asymmetric = asymmetric};
        const auto ratios = IfmrSearchRatios(options);
        const auto candidates =
            MakeIfmrCandidates(options, *ratios, *std::min_element(values.begin(), values.end()),
                               *std::max_element(values.begin(), values.end()));
        const auto bounds = BoundLosses(candidates, histogram, values.size());
        long double squares = 0;
        for (const float x : values) squares += static_cast<long double>(x) * x;
        for (size_t i = 0; i < candidates.size(); ++i) {
          const IfmrCandidate& c = candidates[i];
          long double loss = 0;
          for (const float x : values) {
            const float error =
                c.scale * std::nearbyint(std::clamp(x, c.clip_min, c.clip_max) / c.scale) - x;
            loss += static_cast<long double>(error * error);
          }
          ASSERT_TRUE(bounds[i].has_value());
          EXPECT_LE(bounds[i]->lower, static_cast<double>(loss - squares));
          EXPECT_GE(bounds[i]->upper, static_cast<double>(loss - squares));
          EXPECT_LE(bounds[i]->lower, bounds[i]->estimate);
          EXPECT_GE(bounds[i]->upper, bounds[i]->estimate);
          // And they are tight, unless all values of a cell lie on its border.
          if (seed <= 3) {
            EXPECT_LE(bounds[i]->upper - bounds[i]->lower, 2e-3 * static_cast<double>(loss));
          }
        }
      }
    }
  }
}

TEST(BoundLosses, SayNothingWhereTheHistogramIsTooCoarse) {
  std::vector<float> values = Values(4000, 9);
  values.push_back(1e6f);
  FineHistogram histogram;
  Add(histogram, values, FineHistogram::ExponentFor(1e6f));
  const IfmrOptions options;
  const auto candidates = MakeIfmrCandidates(options, *IfmrSearchRatios(options), -3.0f, 3.0f);
  for (const auto& bounds : BoundLosses(candidates, histogram, values.size())) {
    EXPECT_FALSE(bounds.has_value());
  }
}

TEST(MakeIfmrCandidates, LeavesOutWhatCannotWin) {
  const IfmrOptions options;
  const auto ratios = IfmrSearchRatios(options);
  EXPECT_EQ(MakeIfmrCandidates(options, *ratios, -1.0f, 3.0f).size(), 61u);
  // Nothing above zero: all ratios give the same.
  EXPECT_EQ(MakeIfmrCandidates(options, *ratios, -1.0f, -0.5f).size(), 1u);
  // All scales below the smallest.
  EXPECT_EQ(MakeIfmrCandidates(options, *ratios, -1e-7f, 1e-6f),
            (std::vector<IfmrCandidate>{{-1e-7f, 0.7f * 1e-6f, 1.0f}}));
}

TEST(PercentileRank, IsTheReferences) {
  EXPECT_EQ(PercentileRank(0.999999, 999999), 1u);
  EXPECT_EQ(PercentileRank(0.999999, 25690112), 26u);
  EXPECT_EQ(PercentileRank(0.9999, 1000), 1u);
  EXPECT_EQ(PercentileRank(0.9, 1000), 100u);
  EXPECT_EQ(PercentileRank(1.0, 1000), 1u);
  EXPECT_EQ(PercentileRank(0.99999999, uint64_t{1} << 40), 1u);
}

TEST(LargestValues, AreExactForAnyOrder) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> values(1 + random() % 3000);
    for (float& x : values) x = static_cast<float>(static_cast<int>(random() % 500) - 250);
    if (round % 3 == 0) std::sort(values.begin(), values.end());
    const size_t capacity = 1 + random() % 300;
    LargestValues all(capacity);
    LargestValues part(capacity);
    for (size_t begin = 0; begin < values.size();) {
      const size_t length = std::min<size_t>(1 + random() % 700, values.size() - begin);
      const auto piece = std::span<const float>(values).subspan(begin, length);
      part.Restart(capacity, all.threshold());
      const float sign = round % 2 == 0 ? 1.0f : -1.0f;
      const auto [least, most] = std::minmax_element(piece.begin(), piece.end());
      part.Offer(piece, sign, round % 2 == 0 ? *most : -*least);
      all.Merge(part);
      begin += length;
    }
    if (round % 2 == 1) {
      for (float& x : values) x = -x;
    }
    std::sort(values.begin(), values.end(), std::greater<>());
    for (size_t k = 1; k <= std::min(capacity, values.size()); k += 7) {
      ASSERT_EQ(all.KthLargest(k), values[k - 1]);
    }
  }
}

TEST(RadixSelection, FindsBothRanks) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 30; ++round) {
    std::vector<float> values = Values(1 + random() % 5000, random());
    if (round % 2 == 0) {
      for (float& x : values) x = std::round(x);
    }
    RadixSelection selection;
    std::vector<uint64_t> partial;
    const auto count = [&] {
      const auto middle = std::span<const float>(values).first(values.size() / 2);
      selection.Count(middle, partial);
      selection.Add(partial);
      selection.Count(std::span<const float>(values).subspan(middle.size()), partial);
      selection.Add(partial);
    };
    const std::array<uint64_t, 2> ranks = {1 + random() % values.size(),
                                           1 + random() % values.size()};
    count();
    selection.StartSecondPass(ranks);
    std::array<float, 2> found = {};
    EXPECT_FALSE(selection.Finish(found));
    count();
    ASSERT_TRUE(selection.Finish(found));
    std::sort(values.begin(), values.end());
    EXPECT_EQ(found[0], values[ranks[0] - 1]);
    EXPECT_EQ(found[1], values[ranks[1] - 1]);
  }
}

}  // namespace
}  // namespace lathe::quant::internal
