#include "lathe/tools/summary.h"

#include <gtest/gtest.h>

namespace lathe::tools {
namespace {

TEST(Summary, SizesAreReadable) {
  EXPECT_EQ(SizeText(0), "0 B");
  EXPECT_EQ(SizeText(999), "999 B");
  EXPECT_EQ(SizeText(1000), "1.0 kB");
  EXPECT_EQ(SizeText(999949), "999.9 kB");
  EXPECT_EQ(SizeText(999950), "1.0 MB");
  EXPECT_EQ(SizeText(25600000), "25.6 MB");
  EXPECT_EQ(SizeText(UINT64_MAX), "18.4 EB");
}

TEST(Summary, TablesAlign) {
  testing::internal::CaptureStdout();
  PrintTable({{"layer", "bits", "note"}, {"größe", "8", "a"}, {"conv1", "16", ""}});
  PrintTable({});
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "layer  bits  note\n"
            "größe     8  a\n"
            "conv1    16\n");
}

TEST(Summary, JsonTakesAnyBytes) {
  testing::internal::CaptureStdout();
  PrintJson({{"name", "a\xff"}});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "{\n  \"name\": \"a\xEF\xBF\xBD\"\n}\n");
}

}  // namespace
}  // namespace lathe::tools
