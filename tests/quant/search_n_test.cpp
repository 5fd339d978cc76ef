#include "lathe/quant/search_n.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/quant/dequant_word.h"

namespace lathe::quant {
namespace {

using testing::ElementsAre;

const std::vector<int32_t> kSums = {100001, -70003, 33002};

// The worked numbers of the reference's 2.2.
TEST(SearchN, TheWorkedExampleOfTheReference) {
  ShiftErrors v2 = {};
  AddShiftErrors(SearchNVersion::kV2, kSums, v2);
  EXPECT_THAT(std::span(v2).first(5), ElementsAre(1207928178, 6, 30, 270, 270));
  EXPECT_EQ(BestShift(v2), 2);
  ShiftErrors v1 = {};
  AddShiftErrors(SearchNVersion::kV1, kSums, v1);
  EXPECT_THAT(std::span(v1).first(5), ElementsAre(1207928178, 14, 14, 110, 462));
  EXPECT_EQ(BestShift(v1), 2);
}

TEST(SearchN, TheWordCarriesN) {
  const uint64_t word = EncodeDequantWord({.deq_scale = 0.0005f, .shift = 2});
  EXPECT_EQ(word, 9563214447u);
  EXPECT_EQ(word, 0x000000023A03126Fu);
  EXPECT_EQ(DecodeDequantWord(word).shift, 2);
}

StatusOr<SearchNObserver> Make(SearchNVersion version, std::vector<float> scales, int64_t channels,
                               bool broadcast = false) {
  return SearchNObserver::Create({.version = version,
                                  .deq_scales = std::move(scales),
                                  .channels = channels,
                                  .broadcast = broadcast});
}

TEST(SearchN, ObserverOverBatchesAndChannels) {
  for (const auto version : {SearchNVersion::kV1, SearchNVersion::kV2}) {
    auto observer = Make(version, {0.5f, 0.25f}, 2);
    ASSERT_TRUE(observer.ok());
    // Two batches of [1, 2, 2]: channel 0 is the worked example, channel 1 fits without a loss.
    const WeightLayout layout = WeightLayout::AlongAxis(1, 2, 2);
    ASSERT_TRUE(observer->Observe(std::vector{50000.5f, -35001.5f, 0.5f, -1.0f}, layout).ok());
    ASSERT_TRUE(observer->Observe(std::vector{16501.0f, 16501.0f, 1.0f, 1.5f}, layout).ok());
    EXPECT_THAT(*observer->Finish(), ElementsAre(2, 1));
  }
}

TEST(SearchN, TwoLayersDecideTogether) {
  const WeightLayout layout = WeightLayout::PerTensor(3);
  const std::vector<float> large = {1e6f, -1e6f, 1e6f}, small = {3, -5, 7};
  for (const bool large_first : {true, false}) {
    auto first = Make(SearchNVersion::kV2, {1.0f}, 1);
    auto second = Make(SearchNVersion::kV2, {1.0f}, 1);
    ASSERT_TRUE(first.ok() && second.ok());
    // What has seen nothing adds nothing.
    first->Add(*second);
    EXPECT_FALSE(first->Finish().ok());
    ASSERT_TRUE(first->Observe(large_first ? large : small, layout).ok());
    EXPECT_THAT(*first->Finish(), ElementsAre(large_first ? 5u : 1u));
    ASSERT_TRUE(second->Observe(large_first ? small : large, layout).ok());
    first->Add(*second);
    EXPECT_THAT(*first->Finish(), ElementsAre(5));
  }
}

TEST(SearchN, BroadcastFindsOneForAll) {
  auto observer = Make(SearchNVersion::kV2, {1.0f}, 2, true);
  ASSERT_TRUE(observer.ok());
  // Alone, channel 0 would take 4 and channel 1 the smallest.
  ASSERT_TRUE(
      observer
          ->Observe(std::vector{400000.0f, 400000.0f, 2.0f, 6.0f}, WeightLayout::AlongAxis(1, 2, 2))
          .ok());
  EXPECT_THAT(*observer->Finish(), ElementsAre(4, 4));
}

TEST(SearchN, SumsRoundAwayFromZeroAndSaturate) {
  // 0.5 becomes 1 and -0.5 becomes -1: downwards, both lose 1 at N = 1.
  auto observer = Make(SearchNVersion::kV2, {1.0f}, 1);
  ASSERT_TRUE(observer.ok());
  ASSERT_TRUE(observer
                  ->Observe(std::vector{1e30f, -std::numeric_limits<float>::infinity()},
                            WeightLayout::PerTensor(2))
                  .ok());
  EXPECT_THAT(*observer->Finish(), ElementsAre(16));
}

TEST(SearchN, Refuses) {
  const auto error = [](const auto& result) { return std::string(result.status().message()); };
  EXPECT_EQ(error(Make(SearchNVersion::kV2, {1.0f, 0.0f}, 2)),
            "deq_scale of channel 1 is 0; it must be positive and finite");
  EXPECT_EQ(error(Make(SearchNVersion::kV2, {1.0f, 1.0f}, 3)), "2 scales are given for 3 channels");
  EXPECT_EQ(error(Make(SearchNVersion::kV1, {1.0f}, 3, true)),
            "only version 2 of searchN finds one shift for all channels");
  EXPECT_EQ(error(Make(SearchNVersion::kV1, {1.0f}, 0)),
            "a shift is searched for at least one channel");
  auto observer = Make(SearchNVersion::kV1, {1.0f}, 1);
  EXPECT_EQ(error(observer->Finish()), "no data was seen");
  EXPECT_EQ(std::string(observer->Observe(std::vector{1.0f}, WeightLayout::PerTensor(2)).message()),
            "1 values are given where the shape needs 2");
  EXPECT_EQ(
      std::string(observer->Observe(std::vector{1.0f, std::nanf("")}, WeightLayout::PerTensor(2))
                      .message()),
      "the output value at index 1 is not a number");
  EXPECT_EQ(
      std::string(
          observer->Observe(std::vector{1.0f, 2.0f}, WeightLayout::AlongAxis(1, 2, 1)).message()),
      "the layer's output has 2 channels, 1 are searched");
}

}  // namespace
}  // namespace lathe::quant
