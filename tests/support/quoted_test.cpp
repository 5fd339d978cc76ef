#include "lathe/support/quoted.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(Quoted, StaysOnOneReadableLine) {
  EXPECT_EQ(Quoted("conv1"), "'conv1'");
  EXPECT_EQ(Quoted(""), "''");
  EXPECT_EQ(Quoted("a\nb\t'c'"), "'a\\nb\\t\\'c\\''");
  EXPECT_EQ(Quoted(std::string_view("\0x", 2)), "'\\x00x'");
  EXPECT_EQ(Quoted("caf\xC3\xA9"), "'caf\xC3\xA9'");
  EXPECT_EQ(Quoted("\xFF!"), "'\\xff!'");
}

TEST(Quoted, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(Quoted(std::string(201, 'a')), "'" + std::string(200, 'a') + "...'");
  EXPECT_EQ(Quoted(std::string(200, 'a')), "'" + std::string(200, 'a') + "'");
  const std::string accent = "\xC3\xA9";
  EXPECT_EQ(Quoted(std::string(199, 'a') + accent), "'" + std::string(199, 'a') + "...'");
}

}  // namespace
}  // namespace lathe
