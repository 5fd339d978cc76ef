#include "lathe/quant/balance.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

using testing::ElementsAre;
using testing::FloatEq;

TEST(ChannelMagnitudes, OfEveryKindOfWeight) {
  const std::vector<float> values = {1, -8, 0.5f, 0.25f, -3, 2};
  // [3, 2] by row and by column.
  EXPECT_THAT(*ChannelMagnitudes(values, WeightLayout::AlongAxis(1, 3, 2)),
              ElementsAre(8, 0.5f, 3));
  EXPECT_THAT(*ChannelMagnitudes(values, WeightLayout::AlongAxis(3, 2, 1)), ElementsAre(3, 8));
  // Conv in two groups [2, 3]: the first row meets channels 0 to 2, the second 3 to 5.
  EXPECT_THAT(*ChannelMagnitudes(values, WeightLayout{2, 1, 3, 1}),
              ElementsAre(1, 8, 0.5f, 0.25f, 3, 2));
}

TEST(ChannelMagnitudes, RefusesValuesThatAreNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ChannelMagnitudes(std::vector{1.0f, nan, 5.0f, 6.0f}, WeightLayout::AlongAxis(2, 2, 1))
                .status()
                .message(),
            "the value at index 1 is nan; only finite values can be balanced");
  EXPECT_EQ(
      ChannelMagnitudes(std::vector{1.0f}, WeightLayout::AlongAxis(1, 2, 1)).status().message(),
      "1 values are given where the shape needs 2");
}

// x rows [1, -8], [0.5, 0.25], [0, 0]; w rows [0.5, 0.1], [2, -0.5], [0.3, 0].
TEST(BalanceFactors, TheWorkedExampleOfTheReference) {
  EXPECT_THAT(*BalanceFactors(std::vector{8.0f, 0.5f, 0.0f}, std::vector{0.5f, 2.0f, 0.3f}, 0.5),
              ElementsAre(FloatEq(4), FloatEq(0.5f), FloatEq(6.6666665f)));
}

TEST(BalanceFactors, VanishingChannels) {
  // No weight: the activation is brought to the largest balanced one (8 / 4 = 2, 0.5 / 0.5 = 1).
  EXPECT_THAT(*BalanceFactors(std::vector{8.0f, 0.5f, 3.0f}, std::vector{0.5f, 2.0f, 0.0f}, 0.5),
              ElementsAre(FloatEq(4), FloatEq(0.5f), FloatEq(1.5f)));
  EXPECT_THAT(*BalanceFactors(std::vector{8.0f, 0.0f}, std::vector{0.5f, 0.0f}, 0.5),
              ElementsAre(FloatEq(4), 1));
}

TEST(BalanceFactors, NothingToBalanceGivesOnes) {
  EXPECT_THAT(*BalanceFactors(std::vector{0.0f, 1e-8f}, std::vector{1.0f, 2.0f}, 0.5),
              ElementsAre(1, 1));
  EXPECT_THAT(*BalanceFactors(std::vector{1.0f, 2.0f}, std::vector{0.0f, 0.0f}, 0.5),
              ElementsAre(1, 1));
}

TEST(BalanceFactors, StrengthMovesRange) {
  const std::vector activation{16.0f};
  const std::vector weight{1.0f};
  EXPECT_THAT(*BalanceFactors(activation, weight, 0.25), ElementsAre(FloatEq(2)));
  EXPECT_THAT(*BalanceFactors(activation, weight, 0.75), ElementsAre(FloatEq(8)));
  for (const double strength : {0.19, 0.81, std::nan("")}) {
    EXPECT_FALSE(BalanceFactors(activation, weight, strength).ok());
  }
  EXPECT_EQ(BalanceFactors(activation, weight, 0.9).status().message(),
            "the migration strength is 0.9, it must be from 0.2 to 0.8");
}

TEST(BalanceFactors, RefusesFactorsOutOfRange) {
  const auto factors = BalanceFactors(std::vector{1.0f, 0x1p40f}, std::vector{1.0f, 0x1p-20f}, 0.5);
  EXPECT_EQ(std::string(factors.status().message()),
            "the balance factor of input channel 1 is 1073741800, from an activation of up to "
            "1099511600000 and weights of up to 9.536743e-07; it must be between 1.1920929e-07 and "
            "8388608");
  EXPECT_EQ(BalanceFactors(std::vector{1.0f}, std::vector{1.0f, 2.0f}, 0.5).status().message(),
            "the activation has 1 channels, the weight 2");
}

TEST(MultiplyChannels, Multiplies) {
  std::vector<float> values = {1, 2, 3, 4};
  ASSERT_TRUE(
      MultiplyChannels(values, WeightLayout::AlongAxis(2, 2, 1), std::vector{2.0f, 10.0f}).ok());
  EXPECT_THAT(values, ElementsAre(2, 20, 6, 40));
  EXPECT_EQ(MultiplyChannels(values, WeightLayout::AlongAxis(2, 2, 1), std::vector{2.0f}).message(),
            "1 balance factors are given for 2 input channels");
}

}  // namespace
}  // namespace lathe::quant
