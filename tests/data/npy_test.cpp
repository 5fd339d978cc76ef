#include "lathe/frontends/data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files.h"

namespace lathe::frontends {
namespace {

using ir::ElementType;
using test::Npy;
using test::NpyOf;
using ::testing::ElementsAre;

StatusOr<ir::Tensor> Decode(const std::string& file) {
  const auto* begin = reinterpret_cast<const std::byte*>(file.data());
  return DecodeNpy(std::make_shared<std::vector<std::byte>>(begin, begin + file.size()));
}

std::string Error(const std::string& file) {
  const auto tensor = Decode(file);
  return tensor.ok() ? "no error" : FormatError(tensor.status());
}

TEST(Npy, ReadsEveryTypeInBothByteOrders) {
  const struct {
    const char* descr;
    ElementType type;
    std::string bytes;
    std::string expected;
  } cases[] = {
      {"|b1", ElementType::kBool, "\x01", "\x01"},
      {"|i1", ElementType::kInt8, "\x81", "\x81"},
      {"<u1", ElementType::kUint8, "\x81", "\x81"},
      {"<i2", ElementType::kInt16, "\x01\x02", "\x01\x02"},
      {">i2", ElementType::kInt16, "\x01\x02", "\x02\x01"},
      {">u2", ElementType::kUint16, "\x01\x02", "\x02\x01"},
      {">i4", ElementType::kInt32, "\x01\x02\x03\x04", "\x04\x03\x02\x01"},
      {">u4", ElementType::kUint32, "\x01\x02\x03\x04", "\x04\x03\x02\x01"},
      {">i8", ElementType::kInt64, "12345678", "87654321"},
      {"<u8", ElementType::kUint64, "12345678", "12345678"},
      {">f2", ElementType::kFloat16, "ab", "ba"},
      {"<f4", ElementType::kFloat32, "abcd", "abcd"},
      {">f8", ElementType::kFloat64, "12345678", "87654321"},
      {">c8", ElementType::kComplex64, "abcdefgh", "dcbahgfe"},
      {"<c16", ElementType::kComplex128, "0123456789abcdef", "0123456789abcdef"},
  };
  for (const auto& c : cases) {
    const auto tensor = Decode(NpyOf(c.descr, "()", c.bytes));
    ASSERT_TRUE(tensor.ok()) << c.descr << tensor.status();
    EXPECT_EQ(tensor->element_type(), c.type) << c.descr;
    EXPECT_TRUE(tensor->dims().empty());
    const auto bytes = tensor->Read();
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()), c.expected)
        << c.descr;
  }
}

TEST(Npy, FortranOrderBecomesRowMajor) {
  // Column-major: element (i, j, k) stands at i + 2 j + 6 k.
  std::string data;
  for (char i = 0; i < 24; ++i) data += i;
  const auto tensor = Decode(NpyOf("|i1", "(2, 3, 4)", data, true));
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  const auto values = tensor->Values<int8_t>();
  ASSERT_TRUE(values.ok());
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) EXPECT_EQ((*values)[12 * i + 4 * j + k], i + 2 * j + 6 * k);
    }
  }
}

TEST(Npy, FortranOrderAndBigEndianTogether) {
  const auto tensor = Decode(NpyOf(">i2", "(2, 2)", std::string("\0\1\0\2\0\3\0\4", 8), true));
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_THAT(*tensor->Values<int16_t>(), ElementsAre(1, 3, 2, 4));
}

TEST(Npy, VersionsAndSpellingsOfTheHeader) {
  const std::string text = "{\"shape\":(2,) , 'descr' : '|u1','fortran_order':True}   \n";
  for (const char version : {char{1}, char{2}, char{3}}) {
    const auto tensor = Decode(Npy(text, "\x05\x06", version));
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_THAT(*tensor->Values<uint8_t>(), ElementsAre(5, 6));
  }
  const auto python2 = Decode(NpyOf("|u1", "(1L, 2L)", "\x05\x06"));
  ASSERT_TRUE(python2.ok()) << python2.status();
  EXPECT_THAT(python2->dims(), ElementsAre(1, 2));
}

TEST(Npy, EmptyArrays) {
  for (const bool fortran : {false, true}) {
    const auto tensor = Decode(NpyOf("<f4", "(3, 0, 2)", "", fortran));
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->num_elements(), 0);
  }
}

TEST(Npy, FilesStayMapped) {
  const test::TemporaryFolder folder;
  const std::string path = folder.Write("a.npy", NpyOf("<i4", "(5,)", "abcdefghijklmnopqrst"));
  const auto tensor = ReadNpy(path);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  // A file that shrinks afterwards is an error, so the elements were not copied (only a few of them
  // would be).
  std::filesystem::resize_file(path, 20);
  EXPECT_FALSE(tensor->Read().ok());
}

TEST(Npy, ErrorsSayWhatIsWrong) {
  EXPECT_EQ(Error("PK"), "not an .npy file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(Error("\x93NUMPY\x01"), "the .npy header is cut short");
  EXPECT_EQ(Error(std::string("\x93NUMPY\x02\0\1\0\0", 11)), "the .npy header is cut short");
  EXPECT_EQ(Error(std::string("\x93NUMPY\x04\0\0\0", 10)),
            "the .npy format version is 4, known are 1 to 3");
  EXPECT_EQ(Error(std::string("\x93NUMPY\x02\0\xff\xff\xff\xff", 12)),
            "the .npy header claims 4294967295 bytes, at most 1048576 are accepted");
  EXPECT_EQ(Error(std::string("\x93NUMPY\x01\0\x50\0{", 11)), "the .npy header is cut short");
  EXPECT_EQ(Error(NpyOf("|O", "(1,)", "")),
            "arrays of type '|O' are not supported (numbers and booleans are)");
  EXPECT_EQ(Error(NpyOf("<U3", "(1,)", "")),
            "arrays of type '<U3' are not supported (numbers and booleans are)");
  EXPECT_EQ(Error(Npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "")),
            "arrays of records are not supported");
  EXPECT_EQ(Error(NpyOf("<f4", "(2,)", "abcd")),
            "the file has 4 bytes of elements, its header says 8");
  EXPECT_EQ(Error(NpyOf("<f4", "(-1,)", "abcd")),
            "the .npy header is damaged at character 51: an extent expected");
  EXPECT_EQ(Error(NpyOf("<f4", "(99999999999999999999,)", "")),
            "the .npy header is damaged at character 69: an extent is too large");
  EXPECT_EQ(Error(NpyOf("<f4", "(4294967296, 4294967296)", "")),
            "shape has more elements than an int64 counts");
  EXPECT_EQ(Error(Npy("{'descr': '<f4', 'shape': (1,)}", "abcd")),
            "the .npy header is damaged at character 31: key 'fortran_order' is missing");
  EXPECT_EQ(Error(Npy("{'shape': (1,), 'shape': (1,)}", "")),
            "the .npy header is damaged at character 24: key 'shape' is unknown or twice there");
  EXPECT_EQ(Error(Npy("{'shape': (1,)} x", "")),
            "the .npy header is damaged at character 16: text after the closing brace");
}

TEST(Npy, ErrorsCarryTheFile) {
  const test::TemporaryFolder folder;
  const std::string path = folder.Write("bad.npy", "nonsense");
  EXPECT_EQ(FormatError(ReadNpy(path).status()),
            path + ": not an .npy file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(FormatError(ReadNpyHeader(path).status()),
            path + ": not an .npy file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(FormatError(ReadNpy(folder.File("none.npy")).status()),
            folder.File("none.npy") + ": cannot open: No such file or directory");
}

}  // namespace
}  // namespace lathe::frontends
