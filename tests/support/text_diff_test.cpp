#include "lathe/support/text_diff.h"

#include <random>

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(TextDiff, SameTextsGiveNothing) {
  EXPECT_EQ(TextDiff("", ""), "");
  EXPECT_EQ(TextDiff("a\nb\n", "a\nb\n"), "");
}

TEST(TextDiff, ShowsLinesWithContext) {
  EXPECT_EQ(TextDiff("1\n2\n3\n4\n5\n6\n", "1\n2\n3\nx\n5\n6\n"),
            "@@ -2,5 +2,5 @@\n 2\n 3\n-4\n+x\n 5\n 6\n");
  EXPECT_EQ(TextDiff("1\n2\n", "1\n2\n", 0), "");
  EXPECT_EQ(TextDiff("1\n2\n3\n", "1\n3\n", 0), "@@ -2,1 +2,0 @@\n-2\n");
  EXPECT_EQ(TextDiff("", "a\n"), "@@ -1,0 +1,1 @@\n+a\n");
  EXPECT_EQ(TextDiff("a\n", ""), "@@ -1,1 +1,0 @@\n-a\n");
}

TEST(TextDiff, NearEditsShareAHunk) {
  EXPECT_EQ(TextDiff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\ny\n5\n6\n7\n8\nz\n", 1),
            "@@ -1,5 +1,5 @@\n-1\n+x\n 2\n 3\n-4\n+y\n 5\n"
            "@@ -8,2 +8,2 @@\n 8\n-9\n+z\n");
}

TEST(TextDiff, ManyDifferencesStayCheap) {
  std::string before;
  std::string after = "0\n";
  for (int i = 0; i < 5000; ++i) {
    before += std::to_string(i) + "\n";
    after += std::to_string(-i - 1) + "\n";
  }
  const std::string diff = TextDiff(before, after, 0);
  EXPECT_EQ(diff.substr(0, diff.find('\n')), "@@ -2,4999 +2,5000 @@");
}

// Puts the lines of a diff with the whole text as context back together.
std::string Side(const std::string& diff, char skipped) {
  std::string text;
  size_t start = diff.find('\n') + 1;
  while (start < diff.size()) {
    const size_t end = diff.find('\n', start) + 1;
    if (diff[start] != skipped) text += diff.substr(start + 1, end - start - 1);
    start = end;
  }
  return text;
}

TEST(TextDiff, RandomTextsAreFoundAgainInTheDiff) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 2000; ++i) {
    std::string texts[2];
    for (std::string& text : texts) {
      for (size_t lines = random() % 12; lines-- > 0;) {
        text += static_cast<char>('a' + random() % 4);
        text += '\n';
      }
    }
    const std::string diff = TextDiff(texts[0], texts[1], 1000);
    if (texts[0] == texts[1]) {
      EXPECT_EQ(diff, "");
      continue;
    }
    EXPECT_EQ(Side(diff, '+'), texts[0]);
    EXPECT_EQ(Side(diff, '-'), texts[1]);
  }
}

}  // namespace
}  // namespace lathe
