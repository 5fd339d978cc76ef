#include "lathe/support/mapped_pages.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "lathe/support/mapped_file.h"

namespace lathe {
namespace {

TEST(MappedPages, EvictedPagesAreReadAgain) {
  const std::string path = ::testing::TempDir() + "evicted_pages";
  const std::string content(1 << 20, 'a');
  std::ofstream(path) << content;
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto other = MappedFile::Open(path);
  ASSERT_TRUE(other.ok());
  const auto equal = [&](const MappedFile& mapped) {
    const auto bytes = mapped.Range(0, content.size());
    return bytes.ok() &&
           std::ranges::all_of(*bytes, [](std::byte b) { return b == std::byte{'a'}; });
  };
  EXPECT_TRUE(equal(**file));
  EvictMappedPages();
  EXPECT_TRUE(equal(**file));
  EXPECT_TRUE(equal(**other));
  std::filesystem::remove(path);
}

TEST(MappedPages, AddressesInFilesAreKnown) {
  const std::string path = ::testing::TempDir() + "known_pages";
  std::ofstream(path) << std::string(100, 'a');
  const std::byte* begin = nullptr;
  {
    const auto file = MappedFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    begin = (*file)->Range(0, 100)->data();
    EXPECT_TRUE(IsMapped(begin));
    EXPECT_TRUE(IsMapped(begin + 99));
    EXPECT_FALSE(IsMapped(begin + 100));
    EXPECT_FALSE(IsMapped(reinterpret_cast<const std::byte*>(path.data())));
  }
  EXPECT_FALSE(IsMapped(begin));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lathe
