#include "lathe/flows/value_difference.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lathe::flows {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

ValueDifference Of(const std::vector<float>& a, const std::vector<float>& b) {
  ValueDifference difference;
  difference.Add(a, b);
  return difference;
}

TEST(ValueDifference, KnownNumbers) {
  const ValueDifference difference = Of({3, 4, 0}, {3, 3, 1});
  // 25 of signal, 1 + 1 of noise.
  EXPECT_DOUBLE_EQ(difference.SqnrDb(), 10 * std::log10(12.5));
  EXPECT_DOUBLE_EQ(difference.Cosine(), 21 / (5 * std::sqrt(19.0)));
  EXPECT_EQ(difference.largest(), 1);
}

TEST(ValueDifference, SumsOverSeveralArrays) {
  ValueDifference parts;
  parts.Add(std::vector<float>{3, 4}, std::vector<float>{3, 3});
  parts.Add(std::vector<float>{}, std::vector<float>{});
  parts.Add(std::vector<float>{0}, std::vector<float>{-5});
  const ValueDifference whole = Of({3, 4, 0}, {3, 3, -5});
  EXPECT_EQ(parts.SqnrDb(), whole.SqnrDb());
  EXPECT_EQ(parts.Cosine(), whole.Cosine());
  EXPECT_EQ(parts.largest(), 5);
}

TEST(ValueDifference, TheFirstIsTheSignal) {
  EXPECT_DOUBLE_EQ(Of({2}, {1}).SqnrDb(), 10 * std::log10(4.0));
  EXPECT_DOUBLE_EQ(Of({1}, {2}).SqnrDb(), 0);
}

TEST(ValueDifference, EqualValues) {
  const std::vector<std::vector<float>> all = {{}, {0, 0}, {1, -2}, {kNan, 1}, {kInf, -kInf, 2}};
  for (const std::vector<float>& values : all) {
    const ValueDifference same = Of(values, values);
    EXPECT_EQ(same.SqnrDb(), kInf);
    EXPECT_EQ(same.largest(), 0);
  }
  EXPECT_DOUBLE_EQ(Of({1, -2}, {1, -2}).Cosine(), 1);
  EXPECT_EQ(Of({0, -0.0f}, {-0.0f, 0}).largest(), 0);
}

TEST(ValueDifference, Zeros) {
  EXPECT_EQ(Of({0, 0}, {0, 0}).Cosine(), 1);
  EXPECT_EQ(Of({0, 0}, {0, 1}).Cosine(), 0);
  EXPECT_EQ(Of({0, 0}, {0, 1}).SqnrDb(), -kInf);
  EXPECT_EQ(Of({1, 0}, {0, 0}).SqnrDb(), 0);
  EXPECT_EQ(Of({1, 0}, {0, 0}).Cosine(), 0);
}

TEST(ValueDifference, DirectionWithoutSize) {
  EXPECT_DOUBLE_EQ(Of({1, 2}, {3, 6}).Cosine(), 1);
  EXPECT_DOUBLE_EQ(Of({1, 2}, {-1, -2}).Cosine(), -1);
  EXPECT_EQ(Of({1, 0}, {0, 1}).Cosine(), 0);
}

TEST(ValueDifference, NothingThatIsNotFiniteLooksEqual) {
  const std::vector<std::pair<float, float>> pairs = {
      {1, kNan}, {kNan, 1}, {kInf, 1}, {kInf, -kInf}};
  for (const auto& [a, b] : pairs) {
    const ValueDifference difference = Of({1, a}, {1, b});
    EXPECT_EQ(difference.SqnrDb(), -kInf) << a << " " << b;
    EXPECT_EQ(difference.largest(), kInf) << a << " " << b;
    EXPECT_EQ(difference.Cosine(), 0) << a << " " << b;
  }
}

}  // namespace
}  // namespace lathe::flows
