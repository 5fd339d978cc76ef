#include "lathe/backends/data/npy_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files.h"
#include "lathe/frontends/data/npy.h"

namespace lathe::backends {
namespace {

using ir::ElementType;
using ir::Tensor;

TEST(NpyWriter, WritesWhatNumPyWrites) {
  const test::TemporaryFolder folder;
  const std::string path = folder.File("a.npy");
  ASSERT_TRUE(WriteNpy(path, Tensor::Of<int8_t>({2}, {1, -1})).ok());
  // numpy.save of numpy.array([1, -1], 'int8').
  std::string header = "{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }";
  header.resize(117, ' ');
  EXPECT_EQ(test::ReadAll(path), std::string("\x93NUMPY\x01\0\x76\0", 10) + header + "\n\x01\xff");
}

TEST(NpyWriter, EveryTypeComesBack) {
  const test::TemporaryFolder folder;
  for (int number = 1; number <= ir::kLastElementType; ++number) {
    const auto type = static_cast<ElementType>(number);
    if (type == ElementType::kString) continue;
    std::vector<std::byte> bytes(ir::ElementBytes(type, 6));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 2);
    const auto tensor = Tensor::FromVector(type, {2, 3}, bytes);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    const std::string path = folder.File(ir::ElementTypeName(type));
    const Status status = WriteNpy(path, *tensor);
    if (!status.ok()) {
      EXPECT_EQ(FormatError(status), fmt::format("{}: a tensor of type {} cannot be written as "
                                                 ".npy: NumPy has no such type",
                                                 path, ir::ElementTypeName(type)));
      EXPECT_FALSE(std::filesystem::exists(path));
      continue;
    }
    const auto back = frontends::ReadNpy(path);
    ASSERT_TRUE(back.ok()) << back.status();
    if (type == ElementType::kBfloat16) {
      EXPECT_EQ(back->element_type(), ElementType::kFloat32);
      EXPECT_EQ(*back->ValuesAsFloat(), *tensor->ValuesAsFloat());
    } else {
      EXPECT_TRUE(*back->EqualContents(*tensor)) << ir::ElementTypeName(type);
    }
  }
}

TEST(NpyWriter, ScalarsAndManyDimensions) {
  EXPECT_EQ(NpyHeaderBytes(ElementType::kFloat32, {})->substr(10, 60),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (), }     ");
  EXPECT_EQ(NpyHeaderBytes(ElementType::kUint64, std::vector<int64_t>{1, 0, 3})->substr(10, 61),
            "{'descr': '<u8', 'fortran_order': False, 'shape': (1, 0, 3), ");
  EXPECT_EQ(NpyHeaderBytes(ElementType::kFloat32, {})->size() % 64, 0u);
}

TEST(NpyWriter, ErrorsCarryTheFile) {
  const test::TemporaryFolder folder;
  const std::string path = folder.File("none/a.npy");
  const Status status = WriteNpy(path, Tensor::Scalar<float>(1));
  EXPECT_THAT(FormatError(status), ::testing::HasSubstr(folder.File("none")));
  EXPECT_FALSE(std::filesystem::exists(folder.File("none")));
}

}  // namespace
}  // namespace lathe::backends
