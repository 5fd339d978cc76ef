#include "lathe/quant/bias.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

using testing::ElementsAre;

TEST(QuantizeBias, IsTheReferences) {
  const auto bias =
      QuantizeBias(std::vector{0.75f, -0.1f}, std::vector{0.0078125f, 0.0023622047f}, 0.015686275f);
  ASSERT_TRUE(bias.ok());
  EXPECT_THAT(*bias, ElementsAre(6120, -2699));
}

TEST(QuantizeBias, GoldenModel) {
  EXPECT_THAT(*QuantizeBias(std::vector{-0.5f, -0.25f}, std::vector{0.0078125f, 0.001968504f},
                            0.018509805f),
              ElementsAre(-3458, -6861));
  EXPECT_THAT(*QuantizeBias(std::vector{0.1f, -0.2f}, std::vector{0.007874016f}, 0.0008009109f),
              ElementsAre(15857, -31714));
}

TEST(QuantizeBias, RoundsHalfToEven) {
  EXPECT_THAT(*QuantizeBias(std::vector{0.5f, 1.5f, -2.5f}, std::vector{1.0f}, 1.0f),
              ElementsAre(0, 2, -2));
}

TEST(QuantizeBias, NeverClips) {
  const std::vector scale{1.0f};
  EXPECT_THAT(*QuantizeBias(std::vector{-0x1p31f, 2147483520.0f}, scale, 1.0f),
              ElementsAre(std::numeric_limits<int32_t>::min(), 2147483520));
  EXPECT_EQ(QuantizeBias(std::vector{0.0f, 0x1p31f}, scale, 1.0f).status().message(),
            "the bias of channel 1 is 2147483600, which is 2147483648 steps of 1 and does not "
            "fit into "
            "int32; leave this layer float, or give it a larger weight or activation scale");
  EXPECT_FALSE(QuantizeBias(std::vector{-2147483904.0f}, scale, 1.0f).ok());
  EXPECT_FALSE(QuantizeBias(std::vector{std::nanf("")}, scale, 1.0f).ok());
  EXPECT_FALSE(QuantizeBias(std::vector{1.0f}, std::vector{0.0f}, 1.0f).ok());
}

TEST(QuantizeBias, RefusesScalesOfAnotherLength) {
  EXPECT_EQ(
      QuantizeBias(std::vector{1.0f, 2.0f, 3.0f}, std::vector{1.0f, 1.0f}, 1.0f).status().message(),
      "2 weight scales are given for a bias of 3 channels");
}

}  // namespace
}  // namespace lathe::quant
