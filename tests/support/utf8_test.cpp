#include "lathe/support/utf8.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(Utf8, Characters) {
  std::string_view text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  EXPECT_EQ(TakeUtf8Character(text), 'a');
  EXPECT_EQ(TakeUtf8Character(text), 0xE9u);
  EXPECT_EQ(TakeUtf8Character(text), 0x20ACu);
  EXPECT_EQ(TakeUtf8Character(text), 0x1F600u);
  EXPECT_EQ(TakeUtf8Character(text), std::nullopt);
  EXPECT_TRUE(text.empty());
}

TEST(Utf8, RefusesWhatUnicodeRefuses) {
  for (const char* bad : {"\x80", "\xC3", "\xC3(", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF", "ok\xE2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"));
}

}  // namespace
}  // namespace lathe
