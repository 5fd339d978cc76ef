#include "lathe/support/nibbles.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

constexpr std::byte kBytes[] = {std::byte{0x21}, std::byte{0xf8}, std::byte{0x07}};

TEST(Nibbles, TheFirstStandsInTheLowHalf) {
  EXPECT_EQ(UnpackNibbles(kBytes, 6), (std::vector<int8_t>{1, 2, -8, -1, 7, 0}));
}

TEST(Nibbles, UnsignedOnesReach15) {
  EXPECT_EQ(UnpackNibbles(kBytes, 6, NibbleSign::kUnsigned),
            (std::vector<int8_t>{1, 2, 8, 15, 7, 0}));
}

TEST(Nibbles, TheLastByteMayHoldOne) {
  EXPECT_EQ(UnpackNibbles(kBytes, 5), (std::vector<int8_t>{1, 2, -8, -1, 7}));
  EXPECT_TRUE(UnpackNibbles({}, 0).empty());
}

}  // namespace
}  // namespace lathe
