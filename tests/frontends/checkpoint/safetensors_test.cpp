#include <gmock/gmock.h>

#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using test::BytesOf;
using test::TemporaryFolder;
using ::testing::ElementsAre;

std::string Safetensors(const std::string& header, const std::string& data) {
  return test::LittleEndian(header.size(), 8) + header + data;
}

std::string Entry(const std::string& type, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, TensorsStayInTheFile) {
  const TemporaryFolder folder;
  const auto checkpoint =
      ReadBytes(folder, Safetensors(R"({"__metadata__":{"format":"pt"},"w":)" +
                                        Entry("F32", "[2,1]", "[2,10]") + R"(,"h":)" +
                                        Entry("BF16", "[]", "[0,2]") + R"(,"none":)" +
                                        Entry("I64", "[0,3]", "[2,2]") + "}   ",
                                    BytesOf<uint16_t>({0x4000}) + BytesOf<float>({1, 2})));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->form, CheckpointForm::kSafetensors);
  ASSERT_EQ(checkpoint->root.tensors.size(), 3u);
  EXPECT_EQ(checkpoint->root.tensors[0].name, "w");
  const ir::Tensor& w = TensorOf(checkpoint->root, "w");
  EXPECT_THAT(w.dims(), ElementsAre(2, 1));
  EXPECT_THAT(*w.Values<float>(), ElementsAre(1, 2));
  EXPECT_TRUE(w.file_range().has_value());
  EXPECT_THAT(*TensorOf(checkpoint->root, "h").ValuesAsFloat(), ElementsAre(2));
  EXPECT_EQ(TensorOf(checkpoint->root, "none").num_elements(), 0);
}

TEST(Safetensors, ErrorsSayWhatIsWrong) {
  const TemporaryFolder folder;
  const std::string data = "12345678";
  const auto error = [&](const std::string& header) {
    return ReadError(folder, Safetensors(header, data));
  };
  const auto one = [&](const std::string& type, const std::string& shape,
                       const std::string& offsets) {
    return error(R"({"w":)" + Entry(type, shape, offsets) + "}");
  };
  EXPECT_EQ(one("F32", "[2]", "[0,8]"), "no error");
  EXPECT_EQ(one("F32", "[2]", "[1,9]"), "tensor 'w': its data ends at byte 9, the file holds 8");
  EXPECT_EQ(one("F32", "[3]", "[0,8]"), "tensor 'w': its data has 8 bytes, its shape needs 12");
  EXPECT_EQ(one("F32", "[1]", "[0,4]"), "its tensors take 4 bytes, the file holds 8");
  EXPECT_EQ(one("F32", "[1]", "[4,8]"), "tensors leave a gap before byte 4 of the data");
  EXPECT_EQ(one("F32", "[2]", "[8,0]"), "tensor 'w': 'data_offsets' is no range");
  EXPECT_EQ(one("F32", "[2]", "[0,8,8]"), "tensor 'w': 'data_offsets' is no range");
  EXPECT_EQ(one("F32", "[-2]", "[0,8]"), "tensor 'w': 'shape' holds something else than counts");
  EXPECT_EQ(one("F32", "2", "[0,8]"), "tensor 'w': 'shape' is an integer, not a list");
  EXPECT_EQ(one("F32", "[4611686018427387904,4]", "[0,8]"),
            "tensor 'w': shape has more elements than an int64 counts");
  EXPECT_EQ(one("F4", "[2]", "[0,8]"), "tensor 'w': the type 'F4' is not read");
  EXPECT_EQ(error(R"({"a":)" + Entry("F32", "[2]", "[0,8]") + R"(,"b":)" +
                  Entry("F32", "[1]", "[4,8]") + "}"),
            "tensors overlap before byte 4 of the data");
  EXPECT_EQ(error(R"({"w":{"dtype":"F32","shape":[2]}})"), "tensor 'w': 'data_offsets' is missing");
  EXPECT_EQ(error(R"({"w":[1]})").substr(0, 14), "tensor 'w': is");
  EXPECT_EQ(error(R"({"w":})").substr(0, 11), "its header:");
  EXPECT_EQ(error(R"({"w":1,"w":1})"), "its header: key 'w' is there twice");
  EXPECT_EQ(ReadError(folder, test::LittleEndian(99, 8) + "{}"), "its header is cut short");
  EXPECT_EQ(ReadError(folder, test::LittleEndian(1 << 25, 8) + "{}"),
            "its header claims 33554432 bytes, at most 16777216 are accepted");
}

}  // namespace
}  // namespace lathe::frontends
