#include "lathe/flows/layer_similarity.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace lathe::flows {
namespace {

double Similarity(const std::vector<float>& a, const std::vector<float>& b) {
  return OutputSimilarity(a, b);
}

TEST(OutputSimilarity, IsHalfOfCosinePlusOne) {
  EXPECT_DOUBLE_EQ(Similarity({1, 0}, {5, 0}), 1);
  EXPECT_DOUBLE_EQ(Similarity({1, 0}, {0, 5}), 0.5);
  EXPECT_NEAR(Similarity({1, 2}, {-1, -2}), 0, 1e-15);
  EXPECT_DOUBLE_EQ(Similarity({3, 4}, {4, 3}), 0.5 + 0.5 * 24.0 / 25.0);
}

TEST(OutputSimilarity, ZerosAndBrokenValues) {
  EXPECT_EQ(Similarity({0, 0}, {1, 2}), 1);
  EXPECT_EQ(Similarity({0, 0}, {0, 0}), 1);
  EXPECT_EQ(Similarity({1, 2}, {0, 0}), 0);
  EXPECT_EQ(Similarity({}, {}), 1);
  const float infinite = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Similarity({1, 2}, {1, nan}), 0);
  EXPECT_EQ(Similarity({infinite, 2}, {1, 2}), 0);
}

}  // namespace
}  // namespace lathe::flows
