#include "lathe/quant/arq.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/quant/affine.h"

namespace lathe::quant {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

const std::vector<float> kWeights = {0.5f, -1.0f, 0.25f, -0.2f, 0.1f, 0.3f};

struct ArqCase {
  int num_bits;
  WeightLayout layout;
  std::vector<float> scales;
  std::vector<int8_t> integers;
};

class Arq : public testing::TestWithParam<ArqCase> {};

TEST_P(Arq, IsTheReferences) {
  const ArqCase& c = GetParam();
  const auto scales = ArqScales(kWeights, c.layout, c.num_bits);
  ASSERT_TRUE(scales.ok());
  EXPECT_THAT(*scales, ElementsAreArray(c.scales));
  std::vector<int8_t> integers(kWeights.size());
  ASSERT_TRUE(QuantizeWeights(kWeights, c.layout, *scales, c.num_bits, integers).ok());
  EXPECT_THAT(integers, ElementsAreArray(c.integers));
}

const WeightLayout kRows = WeightLayout::AlongAxis(1, 2, 3);

INSTANTIATE_TEST_SUITE_P(
    Table, Arq,
    testing::Values(ArqCase{8, kRows, {0.0078125f, 0.0023622047f}, {64, -128, 32, -85, 42, 127}},
                    ArqCase{7, kRows, {0.015625f, 0.0047619049f}, {32, -64, 16, -42, 21, 63}},
                    ArqCase{6, kRows, {0.03125f, 0.0096774194f}, {16, -32, 8, -21, 10, 31}},
                    ArqCase{4, kRows, {0.125f, 0.042857144f}, {4, -8, 2, -5, 2, 7}},
                    ArqCase{
                        8, WeightLayout::PerTensor(6), {0.0078125f}, {64, -128, 32, -26, 13, 38}}));

TEST(Arq, GoldenModel) {
  const std::vector conv{0.5f, -1.0f, 0.25f, 0.125f};
  const WeightLayout layout = WeightLayout::AlongAxis(1, 2, 2);
  const auto scales = ArqScales(conv, layout, 8);
  ASSERT_TRUE(scales.ok());
  EXPECT_THAT(*scales, ElementsAre(0.0078125f, 0.001968504f));
  std::vector<float> fake(4);
  ASSERT_TRUE(FakeQuantizeWeights(conv, layout, *scales, 8, fake).ok());
  EXPECT_THAT(fake, testing::Pointwise(testing::FloatEq(), {0.5f, -1.0f, 0.25f, 0.12598425f}));

  const std::vector fc{1.0f, -0.5f, 0.25f, 0.75f};
  const auto fc_scale = ArqScales(fc, WeightLayout::PerTensor(4), 8);
  ASSERT_TRUE(fc_scale.ok());
  EXPECT_THAT(*fc_scale, ElementsAre(0.007874016f));
  ASSERT_TRUE(FakeQuantizeWeights(fc, WeightLayout::PerTensor(4), *fc_scale, 8, fake).ok());
  EXPECT_THAT(fake, testing::Pointwise(testing::FloatNear(5e-8f),
                                       {1.0f, -0.503937f, 0.2519685f, 0.7480315f}));
}

TEST(Arq, LayoutsPointAtTheRightChannel) {
  // Channel c holds values of size c + 1, so that its scale tells which values were counted to it.
  const auto expect = [](const WeightLayout& layout, const std::vector<float>& weights) {
    const auto scales = ArqScales(weights, layout, 8);
    ASSERT_TRUE(scales.ok());
    ASSERT_EQ(static_cast<int64_t>(scales->size()), layout.channels());
    for (size_t c = 0; c < scales->size(); ++c) {
      EXPECT_EQ((*scales)[c], static_cast<float>(c + 1) / 127.0f);
    }
    std::vector<int8_t> integers(weights.size());
    ASSERT_TRUE(QuantizeWeights(weights, layout, *scales, 8, integers).ok());
    EXPECT_THAT(integers, testing::Each(127));
  };
  // Conv [3, 2].
  expect(WeightLayout::AlongAxis(1, 3, 2), {1, 1, 2, 2, 3, 3});
  // [2, 3], channels on the last axis.
  expect(WeightLayout::AlongAxis(2, 3, 1), {1, 2, 3, 1, 2, 3});
  // ConvTranspose [Cin 2, Cout 3, 2].
  expect(WeightLayout::ConvTranspose(2, 3, 2, 1), {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3});
  // ConvTranspose [Cin 4, Cout/g 2, 1] with 2 groups: rows 0, 1 belong to channels 0, 1; rows 2, 3
  // to 2, 3.
  expect(WeightLayout::ConvTranspose(4, 2, 1, 2), {1, 2, 1, 2, 3, 4, 3, 4});
}

TEST(Arq, RefusesWhatIsNotFinite) {
  std::vector<float> weights(1000, 0.5f);
  weights[617] = std::numeric_limits<float>::infinity();
  weights[800] = std::nanf("");
  const WeightLayout layout = WeightLayout::AlongAxis(1, 10, 100);
  EXPECT_EQ(ArqScales(weights, layout, 8).status().message(),
            "the weight value at index 617 is inf; only finite weights can be quantised");
  std::vector<int8_t> integers(1000);
  const std::vector<float> scales(10, 1.0f);
  EXPECT_FALSE(QuantizeWeights(weights, layout, scales, 8, integers).ok());
}

TEST(Arq, RefusesBadArguments) {
  const WeightLayout layout = WeightLayout::AlongAxis(1, 2, 3);
  std::vector<int8_t> integers(6);
  EXPECT_EQ(ArqScales(kWeights, layout, 5).status().message(),
            "cannot quantise weights to 5 bits; 4, 6, 7 and 8 are possible");
  EXPECT_EQ(ArqScales(kWeights, WeightLayout::AlongAxis(1, 2, 4), 8).status().message(),
            "the weight has 6 values where its shape needs 8");
  EXPECT_EQ(ArqScales({}, WeightLayout::AlongAxis(1, 2, 0), 8).status().message(),
            "a weight without values cannot be quantised");
  EXPECT_EQ(QuantizeWeights(kWeights, layout, std::vector{1.0f}, 8, integers).message(),
            "1 weight scales are given for 2 channels");
  EXPECT_EQ(QuantizeWeights(kWeights, layout, std::vector{1.0f, 0.0f}, 8, integers).message(),
            "the weight scale of channel 1 is 0; it must be positive and finite");
  EXPECT_FALSE(QuantizeWeights(kWeights, layout, std::vector{1.0f, 1e-40f}, 8, integers).ok());
}

TEST(Arq, FormsAgreeWithThePlainFormula) {
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  for (const int num_bits : {4, 6, 7, 8}) {
    const WeightLayout layout = WeightLayout::ConvTranspose(6, 5, 7, 3);
    std::vector<float> weights(static_cast<size_t>(layout.size()));
    for (float& w : weights) w = normal(random);
    const auto scales = ArqScales(weights, layout, num_bits);
    ASSERT_TRUE(scales.ok());
    // Coarser than ARQ's, so that some values are clamped.
    std::vector<float> half = *scales;
    for (float& scale : half) scale *= 0.5f;
    std::vector<int8_t> integers(weights.size());
    std::vector<float> fake(weights.size());
    ASSERT_TRUE(QuantizeWeights(weights, layout, half, num_bits, integers).ok());
    ASSERT_TRUE(FakeQuantizeWeights(weights, layout, half, num_bits, fake).ok());
    for (size_t i = 0; i < weights.size(); ++i) {
      const size_t channel = i / (2 * 5 * 7) * 5 + i / 7 % 5;
      const float integer = QuantizeByScale(weights[i], {half[channel], 0}, num_bits);
      EXPECT_EQ(integers[i], integer);
      EXPECT_EQ(fake[i], integer * half[channel]);
      EXPECT_EQ(std::signbit(fake[i]), std::signbit(weights[i]));
    }
  }
}

}  // namespace
}  // namespace lathe::quant
