// Forms whose readers stand elsewhere: .npz and ONNX.
#include <gmock/gmock.h>

#include "lathe/support/wire_writer.h"
#include "lathe/tests/frontends/checkpoint/read.h"
#include "lathe/tests/frontends/checkpoint/torch_files.h"

namespace lathe::frontends {
namespace {

using test::NpyOf;
using test::TemporaryFolder;
using test::Zip;
using ::testing::ElementsAre;

TEST(Npz, ArraysStoredAndDeflated) {
  const TemporaryFolder folder;
  for (const bool deflate : {false, true}) {
    const auto checkpoint = ReadBytes(
        folder, Zip({{"conv.weight.npy", NpyOf("<i2", "(2,)", test::BytesOf<int16_t>({5, -1}))},
                     {"f.npy", NpyOf("|u1", "(2, 2)", "\1\2\3\4", true)}},
                    {deflate}));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ(checkpoint->form, CheckpointForm::kNpz);
    ASSERT_EQ(checkpoint->root.tensors.size(), 2u);
    const ir::Tensor& weight = TensorOf(checkpoint->root, "conv.weight");
    EXPECT_THAT(*weight.Values<int16_t>(), ElementsAre(5, -1));
    EXPECT_EQ(weight.file_range().has_value(), !deflate);
    EXPECT_THAT(*TensorOf(checkpoint->root, "f").Values<uint8_t>(), ElementsAre(1, 3, 2, 4));
  }
}

TEST(Npz, ABombIsNotUnpacked) {
  const TemporaryFolder folder;
  const size_t count = (64 << 20) + 1;
  EXPECT_EQ(ReadError(folder, Zip({{"zeros.npy", NpyOf("|u1", "(" + std::to_string(count) + ",)",
                                                       std::string(count, '\0'))}},
                                  {true})),
            "array 'zeros': more than 67108864 bytes would have to be copied into memory (64 times "
            "the file)");
}

TEST(Onnx, Initializers) {
  const TemporaryFolder folder;
  WireMessage tensor, graph, opset, model;
  tensor.AddInt(1, 2);
  tensor.AddInt(2, 1);
  tensor.AddBytes(8, "fc.weight");
  tensor.AddBytes(9, test::BytesOf<float>({7, 8}));
  graph.AddBytes(2, "net");
  graph.AddMessage(5, std::move(tensor));
  opset.AddInt(2, 13);
  model.AddInt(1, 8);
  model.AddMessage(7, std::move(graph));
  model.AddMessage(8, std::move(opset));
  const auto checkpoint = ReadBytes(folder, model.Join());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->form, CheckpointForm::kOnnx);
  EXPECT_THAT(*TensorOf(checkpoint->root, "fc.weight").Values<float>(), ElementsAre(7, 8));
  EXPECT_TRUE(TensorOf(checkpoint->root, "fc.weight").file_range().has_value());
}

TEST(Recognize, SaysWhichForm) {
  const TemporaryFolder folder;
  const auto form = [&](std::string_view bytes) -> std::string {
    const auto found = RecognizeCheckpoint(folder.Write("checkpoint", bytes));
    if (!found.ok()) return ErrorText(folder, found.status());
    return found->has_value() ? std::string(CheckpointFormText(**found)) : "none";
  };
  EXPECT_EQ(form(test::TorchZip("}", {})), "PyTorch checkpoint");
  EXPECT_EQ(form(test::TorchOld("}", {}, {})), "PyTorch checkpoint (form before torch 1.6)");
  EXPECT_EQ(form(test::LittleEndian(2, 8) + "{}"), "safetensors file");
  EXPECT_EQ(form(Zip({{"x.npy", NpyOf("|u1", "(1,)", "1")}})), ".npz file");
  EXPECT_EQ(form("\x08\x08"), "ONNX model");
  EXPECT_EQ(form("not a model"), "none");
  EXPECT_EQ(form(""), "none");
  EXPECT_EQ(form("PK\x03\x04"), "not a zip archive: too short");
  const auto missing = RecognizeCheckpoint(folder.File("missing"));
  EXPECT_EQ(FormatError(missing.status()),
            folder.File("missing") + ": cannot open: No such file or directory");
}

}  // namespace
}  // namespace lathe::frontends
