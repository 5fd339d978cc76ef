#include "lathe/quant/affine.h"

#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

struct RangeCase {
  float min, max;
  int num_bits;
  bool symmetric;
  float scale;
  int32_t offset;
};

class ScaleOffset : public testing::TestWithParam<RangeCase> {};

TEST_P(ScaleOffset, IsTheReferences) {
  const RangeCase& c = GetParam();
  const auto params = CalculateScaleOffset(c.min, c.max, c.num_bits, c.symmetric);
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(params->scale, c.scale);
  EXPECT_EQ(params->offset, c.offset);
}

INSTANTIATE_TEST_SUITE_P(Table, ScaleOffset,
                         testing::Values(RangeCase{-1, 3, 8, false, 0.015686275f, -64},
                                         RangeCase{1, 3, 8, false, 0.011764706f, -128},
                                         RangeCase{-3, -1, 8, false, 0.011764706f, 127},
                                         RangeCase{0, 0, 8, false, 1.0f, -128},
                                         RangeCase{-1, 3, 16, false, 6.103609e-05f, -16384},
                                         RangeCase{-1, 3, 4, false, 0.26666668f, -4},
                                         RangeCase{-1, 3, 8, true, 3.0f / 127.0f, 0},
                                         RangeCase{-3, 1, 8, true, 0.0234375f, 0},
                                         RangeCase{-3, 3, 8, true, 0.023622047f, 0},
                                         // The guard: a range too small for a scale.
                                         RangeCase{0, 1e-8f, 8, true, 1.0f, 0},
                                         RangeCase{-1e-8f, 0, 8, false, 1.0f, -128},
                                         RangeCase{-1e-8f, 1e-8f, 4, false, 1.0f, -8},
                                         // What 7.4 says of constant data.
                                         RangeCase{2, 2, 8, false, 2.0f / 255.0f, -128}));

TEST(CalculateScaleOffset, RefusesWhatIsNotFinite) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kMax = std::numeric_limits<float>::max();
  EXPECT_EQ(CalculateScaleOffset(-1, kInf, 8, false).status().message(),
            "the range [-1, inf] gives no finite scale and offset");
  EXPECT_FALSE(CalculateScaleOffset(-kInf, 1, 8, true).ok());
  EXPECT_FALSE(CalculateScaleOffset(-kMax, kMax, 8, false).ok());
  EXPECT_FALSE(CalculateScaleOffset(std::nanf(""), std::nanf(""), 8, true).ok());
}

TEST(CalculateScaleOffset, RefusesOtherWidths) {
  EXPECT_EQ(CalculateScaleOffset(-1, 1, 1, false).status().message(),
            "cannot quantise to 1 bits; 2 to 16 are possible");
  EXPECT_FALSE(CalculateScaleOffset(-1, 1, 17, false).ok());
}

TEST(RoundToFp16Precision, IsTheReferences) {
  EXPECT_EQ(*RoundToFp16Precision(0.015686275f), 0.01568603515625f);
  EXPECT_EQ(*RoundToFp16Precision(3e-5f), 3.0007446e-05f);
  EXPECT_EQ(*RoundToFp16Precision(1e5f), 100014.0625f);
  EXPECT_EQ(*RoundToFp16Precision(65504.0f), 65504.0f);
  EXPECT_EQ(*RoundToFp16Precision(0x1p-14f), 0x1p-14f);
  EXPECT_EQ(RoundToFp16Precision(1e30f).status().message(),
            "the scale 1e+30 cannot be written in float16 precision");
  EXPECT_FALSE(RoundToFp16Precision(0.0f).ok());
}

TEST(Reciprocal, IsRoundedOnceFromDouble) {
  EXPECT_EQ(Reciprocal(0.018509805f), 54.02542f);
  EXPECT_EQ(Reciprocal(0.0008009109f), 1248.5784f);
}

TEST(FakeQuantize, WorkedLayer) {
  const AffineParams params{0.015686275f, -64};
  EXPECT_EQ(QuantizeByReciprocal(0.5f, 63.75f, -64, 8), -32.0f);
  EXPECT_NEAR(FakeQuantizeByReciprocal(0.5f, params, 8), 0.50196f, 1e-5);
}

TEST(FakeQuantize, GoldenConvInput) {
  std::vector<float> integers;
  for (const float x : {-1.0f, 0.0f, 1.0f, 2.0f, 0.5f, -0.5f, 1.5f, 3.0f}) {
    integers.push_back(QuantizeByReciprocal(x, 54.02542f, -74, 8));
  }
  EXPECT_THAT(integers, testing::ElementsAre(-128, -74, -20, 34, -47, -101, 7, 88));
}

TEST(FakeQuantize, UlqForward) {
  const auto params = CalculateScaleOffset(-1, 1, 8, false);
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(*params, (AffineParams{0.007843138f, -1}));
  std::vector<float> outputs;
  for (const float x : {-2.0f, -0.6f, 0.1f, 0.7f, 1.9f}) {
    outputs.push_back(FakeQuantizeByScale(x, *params, 8));
  }
  EXPECT_THAT(outputs, testing::Pointwise(testing::FloatEq(), {-0.9960785f, -0.6039216f, 0.1019608f,
                                                               0.6980392f, 1.0039216f}));
}

TEST(FakeQuantize, FormsRoundDifferently) {
  // x / scale is 0.5: with an odd offset the sum is rounded to even, without it the quotient.
  EXPECT_EQ(QuantizeByScale(0.5f, {1.0f, 1}, 8), 2.0f);
  EXPECT_EQ(QuantizeByReciprocal(0.5f, 1.0f, 1, 8), 1.0f);
}

TEST(FakeQuantize, Clamps) {
  EXPECT_EQ(QuantizeByScale(1e30f, {1.0f, 0}, 8), 127.0f);
  EXPECT_EQ(QuantizeByScale(-1e30f, {1.0f, 0}, 4), -8.0f);
  EXPECT_EQ(QuantizeByReciprocal(1e30f, 1.0f, 0, 16), 32767.0f);
}

}  // namespace
}  // namespace lathe::quant
