#include "lathe/quant/n_m_mask.h"

#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

using testing::ElementsAre;

// The reference's example in 8.6.
TEST(NmMask, TheReferencesExample) {
  const std::vector<float> weight = {0.1f, -0.9f, 0.5f, 0.05f, 0.3f, 0.3f,
                                     0.2f, 0.2f,  0.2f, 0.2f,  -7.f, 0.1f};
  EXPECT_THAT(NmMask(weight, {2, 6, 1}, {4, 2}), ElementsAre(0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1));
}

TEST(NmMask, ShortGroups) {
  EXPECT_THAT(NmMask(std::vector<float>{1, 2, 3}, {1, 3, 1}, {4, 2}), ElementsAre(0, 1, 1));
  EXPECT_THAT(NmMask(std::vector<float>{0, 0}, {1, 2, 1}, {4, 2}), ElementsAre(1, 1));
  EXPECT_THAT(NmMask(std::vector<float>{1, 2, 3}, {1, 3, 1}, {4, 3}), ElementsAre(0, 0, 1));
  EXPECT_THAT(NmMask(std::vector<float>{5}, {1, 1, 1}, {4, 3}), ElementsAre(1));
}

TEST(NmMask, AlongAnInnerAxis) {
  // [1, 4, 2]: columns 1 3 5 7 and 8 6 4 2.
  const std::vector<float> weight = {1, 8, 3, 6, 5, 4, 7, 2};
  EXPECT_THAT(NmMask(weight, {1, 4, 2}, {4, 2}), ElementsAre(0, 1, 0, 1, 1, 0, 1, 0));
}

TEST(NmMask, WeightsThatAreNotFiniteStay) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(NmMask(std::vector<float>{nan, 1, nan, 2}, {1, 4, 1}, {4, 2}),
              ElementsAre(1, 0, 1, 0));
}

TEST(NmMask, WhatIsMaskedFollowsThePattern) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 200; ++round) {
    const AxisLayout layout = {1 + static_cast<int64_t>(random() % 4),
                               1 + static_cast<int64_t>(random() % 21),
                               1 + static_cast<int64_t>(random() % 4)};
    const int64_t group = 2 + static_cast<int64_t>(random() % 8);
    const NmPattern pattern = {group, 1 + static_cast<int64_t>(random()) % (group - 1)};
    std::vector<float> weight(static_cast<size_t>(layout.elements()));
    for (float& value : weight) value = normal(random) + 3;
    const std::vector<uint8_t> mask = NmMask(weight, layout, pattern);
    const bool may_lose = layout.length > pattern.group - pattern.pruned;
    EXPECT_EQ(FindNmViolation(weight, layout, pattern).has_value(), may_lose);
    std::vector<float> masked = weight;
    for (size_t i = 0; i < masked.size(); ++i) masked[i] *= static_cast<float>(mask[i]);
    EXPECT_EQ(FindNmViolation(masked, layout, pattern), std::nullopt);
    // Not a weight more than needed.
    for (size_t i = 0; i < masked.size(); ++i) {
      if (mask[i] != 0) continue;
      masked[i] = weight[i];
      EXPECT_TRUE(FindNmViolation(masked, layout, pattern).has_value());
      masked[i] = 0;
    }
  }
}

TEST(NmMask, ViolationsAreFound) {
  EXPECT_EQ(FindNmViolation(std::vector<float>{0, 0, 1, 1, 0, 1, 1, 1}, {1, 8, 1}, {4, 2}), 4U);
  EXPECT_EQ(FindNmViolation(std::vector<float>{0, 1, 1, 1, 0, 1, 0, 1}, {1, 4, 2}, {4, 2}), 1U);
}

}  // namespace
}  // namespace lathe::quant
