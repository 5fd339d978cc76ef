#include "lathe/quant/activation_range.h"

#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

TEST(ClassifyRange, TellsWhyARangeIsDegenerate) {
  EXPECT_EQ(ClassifyRange({-1.0f, 3.0f}, 8), RangeKind::kUsable);
  EXPECT_EQ(ClassifyRange({0.0f, 0.0f}, 8), RangeKind::kConstant);
  EXPECT_EQ(ClassifyRange({2.0f, 2.0f}, 8), RangeKind::kConstant);
  EXPECT_EQ(ClassifyRange({-1e-9f, 1e-6f}, 8), RangeKind::kVanishing);
  EXPECT_EQ(ClassifyRange({-1e-9f, 1e-4f}, 8), RangeKind::kUsable);
  EXPECT_EQ(ClassifyRange({-1e-9f, 1e-4f}, 16), RangeKind::kVanishing);
}

TEST(DescribeRangeKind, Texts) {
  EXPECT_EQ(DescribeRangeKind(RangeKind::kUsable), "its range can be quantised");
  EXPECT_EQ(DescribeRangeKind(RangeKind::kConstant), "all its values are equal");
  EXPECT_EQ(DescribeRangeKind(RangeKind::kVanishing),
            "its values are so small that all would be quantised to 0");
}

}  // namespace
}  // namespace lathe::quant
