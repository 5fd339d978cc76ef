#include "lathe/ir/tensor.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace lathe::ir {
namespace {

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// A file of the test's own that goes with it.
class TempFile {
 public:
  explicit TempFile(const std::string& contents)
      : path_(std::filesystem::path(testing::TempDir()) /
              (std::string("lathe_tensor_") +
               testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::ofstream(path_, std::ios::binary) << contents;
  }
  ~TempFile() { std::filesystem::remove(path_); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(Tensor, EmptyHandleIsFalse) {
  EXPECT_FALSE(Tensor());
  EXPECT_TRUE(Tensor::Scalar(1.0f));
}

TEST(Tensor, KeepsTypeDimsAndValues) {
  const Tensor tensor = Tensor::Of<float>({2, 2}, std::vector<float>{1, 2, 3, 4});
  EXPECT_EQ(tensor.element_type(), ElementType::kFloat32);
  EXPECT_EQ(tensor.rank(), 2);
  EXPECT_EQ(tensor.num_elements(), 4);
  EXPECT_EQ(tensor.byte_size(), 16u);
  EXPECT_EQ(*tensor.Values<float>(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(*Tensor::Scalar<int64_t>(7).ScalarValue<int64_t>(), 7);
  EXPECT_EQ(*Tensor::Scalar(true).ScalarValue<bool>(), true);
}

TEST(Tensor, RefusesOtherElementTypes) {
  const auto values = Tensor::Scalar(1.0f).Values<double>();
  EXPECT_EQ(values.status().message(), "tensor holds f32, not f64");
  EXPECT_EQ(Tensor::Scalar(1.0f).ValuesAsInt64().status().message(),
            "tensor holds f32, not integers");
  EXPECT_EQ(Tensor::Scalar<int8_t>(1).ValuesAsFloat().status().message(),
            "tensor holds i8, not floating-point numbers");
  EXPECT_EQ(
      Tensor::Of<float>({2}, std::vector<float>{1, 2}).ScalarValue<float>().status().message(),
      "tensor has 2 elements, not one");
}

TEST(Tensor, CopiesShareStorage) {
  const Tensor a = Tensor::Of<float>({2}, std::vector<float>{1, 2});
  const Tensor b = a;
  const Tensor c = Tensor::Of<float>({2}, std::vector<float>{1, 2});
  EXPECT_TRUE(a.SharesStorageWith(b));
  EXPECT_FALSE(a.SharesStorageWith(c));
  EXPECT_TRUE(*a.EqualContents(c));
  EXPECT_FALSE(*a.EqualContents(a.WithDims({1, 2})));
  EXPECT_EQ(a.Read()->data(), a.WithDims({1, 2}).Read()->data());
}

TEST(Tensor, BytesMustFitTheShape) {
  EXPECT_EQ(Tensor::FromVector(ElementType::kFloat32, {2}, Bytes({1, 2, 3})).status().message(),
            "tensor data has 3 bytes, its shape needs 8");
  EXPECT_EQ(Tensor::FromVector(ElementType::kInt8, {-1}, {}).status().message(),
            "extent -1 is negative");
  EXPECT_EQ(Tensor::FromVector(ElementType::kInt8, {INT64_MAX, 3}, {}).status().message(),
            "shape has more elements than an int64 counts");
  EXPECT_EQ(Tensor::FromVector(ElementType::kFloat64, {INT64_MAX / 8}, {}).status().message(),
            "shape takes more bytes than an int64 counts");
  EXPECT_EQ(Tensor::FromVector(ElementType::kString, {}, {}).status().message(),
            "a tensor of type str has no raw bytes");
  EXPECT_EQ(Tensor::FromStrings({2}, {"a"}).status().message(),
            "tensor data has 1 strings, its shape needs 2");
  EXPECT_TRUE(Tensor::FromVector(ElementType::kInt4, {3}, Bytes({0x21, 0x03})).ok());
  EXPECT_TRUE(Tensor::FromVector(ElementType::kFloat32, {0, 4}, {}).ok());
}

TEST(Tensor, StringsHaveNoBytes) {
  const Tensor tensor = Tensor::OfStrings({2}, {"a", std::string("b\0c", 3)});
  EXPECT_EQ(tensor.byte_size(), 0u);
  EXPECT_EQ(tensor.strings()[1].size(), 3u);
  EXPECT_EQ(tensor.Read().status().message(), "a string tensor has no raw bytes");
  EXPECT_TRUE(*tensor.EqualContents(Tensor::OfStrings({2}, {"a", std::string("b\0c", 3)})));
}

TEST(Tensor, FloatsWidenAndNarrow) {
  const Tensor half = *Tensor::FromVector(ElementType::kFloat16, {2}, Bytes({0x00, 0x3c, 0, 0x7c}));
  EXPECT_EQ(*half.ValuesAsFloat(), (std::vector<float>{1.0f, INFINITY}));
  const Tensor brain = *Tensor::FromVector(ElementType::kBfloat16, {1}, Bytes({0x80, 0x3f}));
  EXPECT_EQ(*brain.ValuesAsFloat(), (std::vector<float>{1.0f}));
  EXPECT_EQ(*Tensor::Scalar(0.5).ValuesAsFloat(), (std::vector<float>{0.5f}));
}

TEST(Tensor, IntegersWiden) {
  EXPECT_EQ(*Tensor::Scalar<int8_t>(-3).ValuesAsInt64(), (std::vector<int64_t>{-3}));
  EXPECT_EQ(*Tensor::Scalar<uint8_t>(253).ValuesAsInt64(), (std::vector<int64_t>{253}));
  EXPECT_EQ(*Tensor::Scalar<uint32_t>(4000000000u).ValuesAsInt64(),
            (std::vector<int64_t>{4000000000}));
}

TEST(Tensor, ReadsARangeOfAFile) {
  const TempFile file("xxabcd");
  const auto mapped = *MappedFile::Open(file.path().string());
  const Tensor tensor = *Tensor::FromFile(ElementType::kInt8, {4}, mapped, 2);
  EXPECT_EQ(*tensor.Values<int8_t>(), (std::vector<int8_t>{'a', 'b', 'c', 'd'}));
  EXPECT_EQ(tensor.file_range()->offset, 2u);
  EXPECT_EQ(Tensor::FromFile(ElementType::kInt8, {5}, mapped, 2).status().message(),
            "tensor data ends after byte 6 of the file, its shape needs 5 bytes from byte 2");
  EXPECT_FALSE(Tensor::FromFile(ElementType::kInt8, {1}, mapped, UINT64_MAX).ok());
}

TEST(Tensor, LargePayloadsOfAFileAreNotCopied) {
  const TempFile file(std::string(40, 'a'));
  const auto mapped = *MappedFile::Open(file.path().string());
  const Tensor tensor = *Tensor::FromFile(ElementType::kInt8, {17}, mapped, 2);
  EXPECT_EQ(tensor.Read()->data(), mapped->Range(2, 17)->data());
}

TEST(Tensor, ShortenedFileIsAnError) {
  const TempFile file("abcdefghijklmnopq");
  const auto mapped = *MappedFile::Open(file.path().string());
  const Tensor tensor = *Tensor::FromFile(ElementType::kInt8, {17}, mapped, 0);
  const Tensor small = *Tensor::FromFile(ElementType::kInt8, {16}, mapped, 1);
  std::filesystem::resize_file(file.path(), 4);
  EXPECT_EQ(tensor.Read().status().message(), "the file was shortened while it was in use");
  // Known already, and with other dims too.
  EXPECT_EQ(small.Read()->size(), 16u);
  EXPECT_EQ(small.WithDims({4, 4}).Values<int8_t>()->back(), 'q');
  // Too late for this one.
  const Tensor late = *Tensor::FromFile(ElementType::kInt8, {16}, mapped, 0);
  EXPECT_EQ(late.Read().status().message(), "the file was shortened while it was in use");
}

TEST(Tensor, NotesAreCarriedAndReplaced) {
  TensorNotes notes;
  notes.name = "w";
  notes.typed_field = true;
  const Tensor tensor = *Tensor::FromVector(ElementType::kInt8, {1}, Bytes({5}), notes);
  EXPECT_EQ(tensor.notes().name, "w");
  EXPECT_TRUE(tensor.WithDims({}).notes().typed_field);
  EXPECT_TRUE(tensor.WithNotes({}).notes().empty());
  EXPECT_EQ(tensor.WithNotes({}).Read()->data(), tensor.Read()->data());
}

}  // namespace
}  // namespace lathe::ir
