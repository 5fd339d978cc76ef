#include "lathe/quant/held_out_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

constexpr size_t kValues = 600;
using Samples = std::vector<std::vector<float>>;

// Samples of values around 0, channel by channel as large as `sizes`.
Samples Normal(const std::vector<float>& sizes, size_t count = 8) {
  std::mt19937 generator(11);
  Samples samples(count);
  for (auto& sample : samples) {
    for (const float size : sizes) {
      for (size_t i = 0; i < kValues; ++i) {
        double sum = -6;
        for (int k = 0; k < 12; ++k) sum += static_cast<double>(generator()) / 4294967296.0;
        sample.push_back(size * static_cast<float>(sum));
      }
    }
  }
  return samples;
}

struct Found {
  bool usable = true;
  HeldOutSearch::Choice choice;
};

Found Search(const Samples& samples, size_t channels, const HeldOutSearch::Options& options,
             double weight_error = 0, int threads = 1) {
  const auto layout = WeightLayout::AlongAxis(1, static_cast<int64_t>(channels),
                                              static_cast<int64_t>(samples[0].size() / channels));
  ThreadPool pool(threads);
  HeldOutSearch search(channels, options);
  for (size_t i = 0; i < samples.size(); ++i) {
    search.Measure(i % HeldOutSearch::kFolds, samples[i], layout);
  }
  Found found;
  found.usable = search.FinishMeasuring();
  if (!found.usable) return found;
  for (size_t i = 0; i < samples.size(); ++i) {
    search.Try(i % HeldOutSearch::kFolds, samples[i], layout, pool);
  }
  std::vector<double> errors;
  for (const float strength : HeldOutSearch::kStrengths) {
    errors.push_back(weight_error * double{strength});
  }
  auto choice = search.Choose(std::vector<double>(channels, 1.0), errors);
  EXPECT_TRUE(choice.ok());
  found.choice = *std::move(choice);
  return found;
}

TEST(HeldOutSearch, BalancesChannelsOfDifferentSize) {
  const Found found = Search(Normal({10, 1, 0.1f, 0.1f, 0.1f, 0.1f}), 6, {});
  EXPECT_GE(found.choice.strength, 0.75f);
  ASSERT_EQ(found.choice.factors.size(), 6);
  EXPECT_EQ(found.choice.factors[0], 1.0f);
  EXPECT_NEAR(found.choice.factors[2], std::pow(0.01f, found.choice.strength), 0.01f);
  // Of six equal shares of the error one is left, and what the wider range costs.
  EXPECT_LT(found.choice.error, 0.4 * found.choice.plain_error);
}

TEST(HeldOutSearch, LeavesChannelsThatWeightsCannotPayFor) {
  const Found found = Search(Normal({10, 1, 0.1f}), 3, {}, 1e3);
  EXPECT_EQ(found.choice.strength, 0.0f);
  EXPECT_TRUE(found.choice.factors.empty());
}

TEST(HeldOutSearch, DoesNotBalanceWhereItMustNot) {
  const Found found = Search(Normal({10, 1, 0.1f}), 3, {.balance = false});
  EXPECT_EQ(found.choice.strength, 0.0f);
}

TEST(HeldOutSearch, ClipsWhereFewLevelsAreThere) {
  const Found found = Search(Normal({1}, 64), 1, {.num_bits = 4});
  EXPECT_LT(found.choice.widening, 1.0f);
  EXPECT_LT(found.choice.error, found.choice.plain_error);
  // Not from samples so few that a larger one is likely to come.
  EXPECT_GT(Search(Normal({1}, 63), 1, {.num_bits = 4}).choice.widening, 1.0f);
}

TEST(HeldOutSearch, WidensWhereOneSampleIsLargerThanTheOthers) {
  Samples samples = Normal({1}, 64);
  const Found even = Search(samples, 1, {});
  for (float& value : samples[2]) value *= 2;
  const Found found = Search(samples, 1, {});
  EXPECT_GT(found.choice.widening, even.choice.widening);
  EXPECT_GT(found.choice.widening, 1.0f);
  const float largest = *std::ranges::max_element(samples[2]);
  const float smallest = *std::ranges::min_element(samples[2]);
  const float span = found.choice.params.scale * 255;
  EXPECT_NEAR(span, found.choice.widening * (largest - smallest), 0.01f * span);
}

TEST(HeldOutSearch, LeavesRoomForSamplesToCome) {
  EXPECT_EQ(Search(Normal({1}, 2), 1, {}).choice.widening, 1.5f);
  EXPECT_EQ(Search(Normal({1}, 12), 1, {}).choice.widening, 1.25f);
  EXPECT_EQ(Search(Normal({1}, 40), 1, {}).choice.widening, 1.1f);
}

TEST(HeldOutSearch, SymmetricHasNoOffset) {
  Samples samples = Normal({1});
  for (auto& sample : samples) {
    for (float& value : sample) value = std::max(value, 0.0f);
  }
  EXPECT_EQ(Search(samples, 1, {}).choice.params.offset, -128);
  EXPECT_EQ(Search(samples, 1, {.asymmetric = false}).choice.params.offset, 0);
}

TEST(HeldOutSearch, OneSampleIsMeasuredOnItself) {
  Samples samples = Normal({1, 0.1f});
  samples.resize(1);
  const Found found = Search(samples, 2, {});
  ASSERT_TRUE(found.usable);
  EXPECT_GT(found.choice.strength, 0.0f);
  EXPECT_GT(found.choice.error, 0.0);
}

TEST(HeldOutSearch, FindsTheSameForAnyNumberOfThreads) {
  const Samples samples = Normal({10, 1, 0.1f, 3, 2});
  const Found one = Search(samples, 5, {}, 1e-6, 1);
  const Found three = Search(samples, 5, {}, 1e-6, 3);
  EXPECT_EQ(one.choice.error, three.choice.error);
  EXPECT_EQ(one.choice.factors, three.choice.factors);
  EXPECT_EQ(one.choice.params, three.choice.params);
}

TEST(HeldOutSearch, RefusesDataThatCannotBeQuantised) {
  Samples samples = Normal({1});
  samples[5][7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(Search(samples, 1, {}).usable);
  samples[5][7] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(Search(samples, 1, {}).usable);
  for (auto& sample : samples) std::ranges::fill(sample, 0.0f);
  EXPECT_FALSE(Search(samples, 1, {}).usable);
}

}  // namespace
}  // namespace lathe::quant
