#include "lathe/quant/retrain.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

using testing::ElementsAre;

TEST(Retrain, ClipsThatAreNoRangeGiveWayToThePreviousOnes) {
  const Clips previous{2, -2};
  EXPECT_EQ(UsableClips({3, -1}, previous, false), (Clips{3, -1}));
  EXPECT_EQ(UsableClips({3, -1}, previous, true), (Clips{3, 0}));
  EXPECT_EQ(UsableClips({0.5f, 0.5f}, previous, false), previous);
  // 0 and 0: both clips are replaced, the fixed one too, as in the reference.
  EXPECT_EQ(UsableClips({0, -1}, previous, true), previous);
  EXPECT_EQ(UsableClips({-1, -3}, previous, false), (Clips{2, -3}));
  EXPECT_EQ(UsableClips({3, 1}, previous, false), (Clips{3, -2}));
  EXPECT_EQ(UsableClips({-1, -3}, std::nullopt, false), (Clips{-1, -3}));
}

TEST(Retrain, ParametersOfClips) {
  const auto params = UlqParams({1, -1}, 8);
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(*params, (AffineParams{0.007843138f, -1}));
  EXPECT_EQ(FormatError(UlqParams({std::numeric_limits<float>::infinity(), -1}, 8).status()),
            "the clips -1 and inf are not finite");
}

TEST(Retrain, ScalesWithoutBatchNormalization) {
  const std::vector<float> scales = {0.5f, 1e-8f, -0.25f};
  const auto recorded = RecordedWeightScales(scales, nullptr);
  ASSERT_TRUE(recorded.ok());
  EXPECT_THAT(*recorded, ElementsAre(0.5f, 1.0f, 1.0f));
}

TEST(Retrain, BatchNormalizationScalesTheScales) {
  const std::vector<float> gamma = {-2, 1, 0};
  const std::vector<float> variance = {3, 15, 1};
  const BatchNorm norm{gamma, variance, 1.0f};
  auto recorded = RecordedWeightScales(std::vector<float>{0.5f, -0.5f, 0.5f}, &norm);
  ASSERT_TRUE(recorded.ok());
  EXPECT_THAT(*recorded, ElementsAre(0.5f, 0.125f, 1.0f));
  recorded = RecordedWeightScales(std::vector<float>{0.5f}, &norm);
  ASSERT_TRUE(recorded.ok());
  EXPECT_THAT(*recorded, ElementsAre(0.5f, 0.125f, 1.0f));
  EXPECT_EQ(FormatError(RecordedWeightScales(std::vector<float>{1, 1}, &norm).status()),
            "2 weight scales do not fit a BatchNormalization of 3 channels");
  const std::vector<float> bad = {1, NAN, 1};
  EXPECT_EQ(FormatError(RecordedWeightScales(bad, &norm).status()),
            "the weight scale of channel 1 is not finite");
}

TEST(Retrain, StoredReciprocals) {
  EXPECT_THAT(LearnedWeightScales(std::vector<float>{2, 4}, true), ElementsAre(0.5f, 0.25f));
  EXPECT_THAT(LearnedWeightScales(std::vector<float>{2, 4}, false), ElementsAre(2, 4));
}

}  // namespace
}  // namespace lathe::quant
