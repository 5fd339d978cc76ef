#include "lathe/support/decimal_text.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(DecimalText, IsWhatPythonPrints) {
  EXPECT_EQ(DecimalText(0.0), "0.0");
  EXPECT_EQ(DecimalText(-0.0), "-0.0");
  EXPECT_EQ(DecimalText(0.7), "0.7");
  EXPECT_EQ(DecimalText(20), "20.0");
  EXPECT_EQ(DecimalText(-12.5), "-12.5");
  EXPECT_EQ(DecimalText(0.999999), "0.999999");
  EXPECT_EQ(DecimalText(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(DecimalText(0.0001), "0.0001");
  EXPECT_EQ(DecimalText(0.00012345), "0.00012345");
  EXPECT_EQ(DecimalText(0.00001), "1e-05");
  EXPECT_EQ(DecimalText(-1.5e-7), "-1.5e-07");
  EXPECT_EQ(DecimalText(1e15), "1000000000000000.0");
  EXPECT_EQ(DecimalText(9007199254740993.0), "9007199254740992.0");
  EXPECT_EQ(DecimalText(1e16), "1e+16");
  EXPECT_EQ(DecimalText(1.25e100), "1.25e+100");
  EXPECT_EQ(DecimalText(5e-324), "5e-324");
  EXPECT_EQ(DecimalText(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(DecimalText(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(DecimalText(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(DecimalText(std::nan("")), "nan");
}

TEST(DecimalText, ReadsBackAsTheSameDouble) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = random();
    double value = 0;
    static_assert(sizeof(bits) == sizeof(value));
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(DecimalText(value).c_str(), nullptr), value);
  }
}

TEST(ShortestDecimal, IsTheDecimalThatWasMeant) {
  EXPECT_EQ(ShortestDecimal(0.8f), 0.8);
  EXPECT_EQ(ShortestDecimal(0.999999f), 0.999999);
  EXPECT_EQ(ShortestDecimal(0.9999f), 0.9999);
  EXPECT_EQ(ShortestDecimal(1.0f), 1.0);
  EXPECT_EQ(ShortestDecimal(0.030161506f), 0.030161506);
  EXPECT_EQ(ShortestDecimal(16777216.0f), 16777216.0);
  // At least six digits: only below the normal numbers is that more than the shortest.
  EXPECT_EQ(ShortestDecimal(std::numeric_limits<float>::denorm_min()), 1.4013e-45);
  EXPECT_TRUE(std::isnan(ShortestDecimal(std::nanf(""))));
  EXPECT_TRUE(std::isinf(ShortestDecimal(std::numeric_limits<float>::infinity())));
}

TEST(ShortestDecimal, ReadsBackAsTheSameFloat) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    const uint32_t bits = static_cast<uint32_t>(random());
    float value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(static_cast<float>(ShortestDecimal(value)), value);
  }
}

}  // namespace
}  // namespace lathe
