#include "lathe/support/glob.h"

#include <string>

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(Glob, PlainTextIsItself) {
  EXPECT_TRUE(GlobMatches("conv1", "conv1"));
  EXPECT_FALSE(GlobMatches("conv1", "conv10"));
  EXPECT_FALSE(GlobMatches("conv10", "conv1"));
  EXPECT_FALSE(GlobMatches("conv1", "Conv1"));
  EXPECT_TRUE(GlobMatches("", ""));
  EXPECT_FALSE(GlobMatches("", "a"));
  EXPECT_TRUE(GlobMatches("a[0]", "a[0]"));
}

TEST(Glob, StarsAndQuestionMarks) {
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("*", "/layer1/conv"));
  EXPECT_TRUE(GlobMatches("/layer?/*conv", "/layer1/0/conv"));
  EXPECT_FALSE(GlobMatches("/layer?/*conv", "/layer12/conv"));
  EXPECT_FALSE(GlobMatches("?", ""));
  EXPECT_TRUE(GlobMatches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(GlobMatches("a*b*c", "a-b-b"));
  EXPECT_TRUE(GlobMatches("**a**", "bab"));
}

TEST(Glob, ManyStarsStayCheap) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatches(pattern + "b", std::string(20000, 'a')));
}

}  // namespace
}  // namespace lathe
