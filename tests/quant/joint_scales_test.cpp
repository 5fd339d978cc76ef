#include "lathe/quant/joint_scales.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/quant/dequant_word.h"

namespace lathe::quant {
namespace {

using testing::ElementsAre;

TEST(JointScales, TheLargestProductDecides) {
  const std::vector<JointBranch> branches = {{0.5f, {1.0f, 0.25f}}, {0.25f, {1.0f, 1.0f}}};
  const auto scales = JointWeightScales(branches);
  ASSERT_TRUE(scales);
  EXPECT_THAT((*scales)[0], ElementsAre(1.0f, 0.5f));
  EXPECT_THAT((*scales)[1], ElementsAre(2.0f, 1.0f));
}

TEST(JointScales, OneScaleIsSpreadOverChannels) {
  const auto scales = JointWeightScales(std::vector<JointBranch>{{1, {2}}, {1, {1, 3}}});
  ASSERT_TRUE(scales);
  EXPECT_THAT((*scales)[0], ElementsAre(2, 3));
  EXPECT_THAT((*scales)[1], ElementsAre(2, 3));
  const auto single = JointWeightScales(std::vector<JointBranch>{{1, {2}}, {2, {3}}});
  ASSERT_TRUE(single);
  EXPECT_THAT((*single)[0], ElementsAre(6));
  EXPECT_THAT((*single)[1], ElementsAre(3));
}

TEST(JointScales, ProductsHaveEqualBitsAndNoScaleShrinks) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> exponent(-30, 10);
  const auto positive = [&] { return std::exp2(exponent(random)); };
  int moved = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<JointBranch> branches(2 + static_cast<size_t>(trial % 3));
    for (JointBranch& branch : branches) branch = {positive(), {positive(), positive()}};
    const auto scales = JointWeightScales(branches);
    ASSERT_TRUE(scales) << trial;
    for (size_t channel = 0; channel < 2; ++channel) {
      float largest = 0;
      for (const JointBranch& branch : branches) {
        largest = std::max(largest, DequantScale(branch.scale_w[channel], branch.scale_d));
      }
      const float product = DequantScale((*scales)[0][channel], branches[0].scale_d);
      moved += product != largest ? 1 : 0;
      EXPECT_GE(product, largest);
      EXPECT_LE(product, largest * (1 + 1e-5f));
      for (size_t i = 0; i < branches.size(); ++i) {
        EXPECT_EQ(DequantScale((*scales)[i][channel], branches[i].scale_d), product);
        // A product may round, so that the scale that gave it need not come back to the bit.
        EXPECT_GE((*scales)[i][channel], std::nextafter(branches[i].scale_w[channel], 0.0f));
      }
    }
  }
  // The case that a plain division gets wrong does happen.
  EXPECT_GT(moved, 100);
}

TEST(JointScales, NothingForWhatCannotBeJoined) {
  EXPECT_FALSE(JointWeightScales(std::vector<JointBranch>{{1, {1, 2}}, {1, {1, 2, 3}}}));
  const float tiny = std::numeric_limits<float>::min();
  EXPECT_FALSE(JointWeightScales(std::vector<JointBranch>{{tiny, {0.5f}}, {tiny, {0.25f}}}));
  EXPECT_FALSE(JointWeightScales(std::vector<JointBranch>{{1e30f, {1e30f}}, {1, {1}}}));
  // The other branch's scale would leave float32.
  EXPECT_FALSE(JointWeightScales(std::vector<JointBranch>{{1e20f, {1e18f}}, {1e-30f, {1}}}));
}

}  // namespace
}  // namespace lathe::quant
