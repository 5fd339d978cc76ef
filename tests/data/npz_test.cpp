#include "lathe/frontends/data/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files.h"

namespace lathe::frontends {
namespace {

using test::NpyOf;
using test::TemporaryFolder;
using test::Zip;
using ::testing::ElementsAre;

std::string OpenError(const TemporaryFolder& folder, const std::string& bytes) {
  const std::string path = folder.Write("bad.npz", bytes);
  const auto npz = NpzFile::Open(path);
  if (npz.ok()) return "no error";
  const std::string text = FormatError(npz.status());
  EXPECT_TRUE(text.starts_with(path + ": ")) << text;
  return text.substr(std::min(text.size(), path.size() + 2));
}

const std::string kFirst = NpyOf("|u1", "(3,)", "\1\2\3");
const std::string kSecond = NpyOf("<i2", "(1, 1)", std::string("\7\0", 2));

TEST(Npz, StoredDeflatedAndZip64) {
  const TemporaryFolder folder;
  for (const bool deflate : {false, true}) {
    for (const bool zip64 : {false, true}) {
      const std::string path = folder.Write(
          "a.npz",
          Zip({{"x.npy", kFirst}, {"group/y.npy", kSecond}}, {deflate, zip64, "a comment"}));
      const auto npz = NpzFile::Open(path);
      ASSERT_TRUE(npz.ok()) << npz.status();
      ASSERT_EQ(npz->entries().size(), 2u);
      EXPECT_EQ(npz->entries()[1].name, "group/y");
      EXPECT_EQ(npz->entries()[1].header.element_type, ir::ElementType::kInt16);
      EXPECT_EQ(npz->Find("y"), nullptr);
      const auto x = npz->Read(*npz->Find("x"));
      ASSERT_TRUE(x.ok()) << x.status();
      EXPECT_THAT(*x->Values<uint8_t>(), ElementsAre(1, 2, 3));
      const auto y = npz->Read(*npz->Find("group/y"));
      ASSERT_TRUE(y.ok()) << y.status();
      EXPECT_THAT(*y->Values<int16_t>(), ElementsAre(7));
    }
  }
}

TEST(Npz, LargeDeflatedArray) {
  const TemporaryFolder folder;
  std::string data;
  for (int i = 0; i < 100000; ++i) data += static_cast<char>(i % 251);
  const auto npz = NpzFile::Open(
      folder.Write("a.npz", Zip({{"x.npy", NpyOf("|u1", "(100000,)", data)}}, {true})));
  ASSERT_TRUE(npz.ok()) << npz.status();
  const auto x = npz->Read(npz->entries()[0]);
  ASSERT_TRUE(x.ok()) << x.status();
  EXPECT_EQ((*x->Values<uint8_t>())[99999], 99999 % 251);
}

TEST(Npz, ErrorsSayWhatIsWrong) {
  const TemporaryFolder folder;
  EXPECT_EQ(OpenError(folder, "short"), "not a zip archive: too short");
  EXPECT_EQ(OpenError(folder, std::string(100, 'x')),
            "not a zip archive: no zip directory at its end");
  EXPECT_EQ(OpenError(folder, Zip({{"x.txt", kFirst}})),
            "'x.txt' is not an .npy file; an .npz holds nothing else");
  EXPECT_EQ(OpenError(folder, Zip({{"x.npy", kFirst}, {"x.npy", kFirst}})),
            "'x.npy' is there twice in the zip archive");
  EXPECT_EQ(OpenError(folder, Zip({{"x.npy", "nonsense"}})),
            "array 'x': not an .npy file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(OpenError(folder, Zip({{"x.npy", NpyOf("<f4", "(9,)", "abcd")}}, {true})),
            "array 'x': it has 4 bytes of elements, its header says 36");
  const std::string good = Zip({{"x.npy", kFirst}});
  const size_t directory = good.find("PK\x01\x02");
  const auto with = [&](size_t at, std::string_view bytes) {
    std::string bad = good;
    return bad.replace(directory + at, bytes.size(), bytes);
  };
  EXPECT_EQ(OpenError(folder, with(0, "xx")), "entry 0 of the zip directory is damaged");
  EXPECT_EQ(OpenError(folder, with(8, "\1")), "'x.npy' is encrypted");
  EXPECT_EQ(OpenError(folder, with(10, "\x0c")),
            "'x.npy' is compressed by method 12 (known: stored, deflate)");
  EXPECT_EQ(OpenError(folder, with(23, "\x70")), "'x.npy': its data lies outside the file");
  // Stored bytes taken for deflated ones unpack to something else.
  EXPECT_EQ(OpenError(folder, with(10, "\x08")),
            "array 'x': not an .npy file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(OpenError(folder, with(28, "\xff\xff")), "entry 0 of the zip directory is cut short");
  EXPECT_EQ(OpenError(folder, with(42, "\x01")), "'x.npy': its zip header is damaged");
}

TEST(Npz, EntriesThatShareBytesAreRefused) {
  const TemporaryFolder folder;
  std::string bytes = Zip({{"x.npy", kFirst}, {"y.npy", kSecond}});
  // The second entry claims to begin where the first one does.
  const size_t second = bytes.rfind("PK\x01\x02");
  bytes.replace(second + 42, 4, std::string(4, '\0'));
  bytes.replace(second + 20, 8, bytes.substr(bytes.find("PK\x01\x02") + 20, 8));
  EXPECT_EQ(OpenError(folder, bytes), "'x.npy' and 'y.npy' overlap in the zip archive");
}

TEST(Npz, CheckSumsAreVerified) {
  const TemporaryFolder folder;
  std::string bytes = Zip({{"x.npy", kFirst}});
  bytes[bytes.find("\1\2\3")] = 9;
  const std::string path = folder.Write("a.npz", bytes);
  const auto npz = NpzFile::Open(path);
  ASSERT_TRUE(npz.ok()) << npz.status();
  EXPECT_EQ(FormatError(npz->Read(npz->entries()[0]).status()),
            path + ": array 'x': its check sum is wrong");
  const auto trusted = npz->Read(npz->entries()[0], NpzFile::Stored::kTrust);
  ASSERT_TRUE(trusted.ok()) << trusted.status();
  EXPECT_THAT(*trusted->Values<uint8_t>(), ElementsAre(9, 2, 3));
}

}  // namespace
}  // namespace lathe::frontends
