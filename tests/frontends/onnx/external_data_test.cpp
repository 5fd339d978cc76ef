// Data in files beside the model, and attempts to read other files through them.
#include <cstring>

#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

onnx::TensorProto External(const std::string& name, int64_t elements, const Entries& entries) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::UINT8);
  tensor.add_dims(elements);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return tensor;
}

class ImportExternalData : public testing::Test {
 protected:
  ImportExternalData() {
    std::filesystem::create_directories(folder_ / "model/sub");
    WriteFile(folder_ / "model/w.bin", "0123456789");
    WriteFile(folder_ / "model/sub/v.bin", "abcdef");
    WriteFile(folder_ / "secret", "secret");
  }

  // Writes a model with these tensors and reads it.
  StatusOr<std::unique_ptr<ir::Model>> Read(const std::vector<onnx::TensorProto>& tensors) {
    onnx::ModelProto proto = ModelWithGraph("name: 'g'");
    for (const onnx::TensorProto& tensor : tensors)
      *proto.mutable_graph()->add_initializer() = tensor;
    WriteFile(folder_ / "model/m.onnx", proto.SerializeAsString());
    return frontends::ImportOnnx(folder_ / "model/m.onnx");
  }

  // The error without the model's path.
  std::string Error(int64_t elements, const Entries& entries) {
    const auto model = Read({External("t", elements, entries)});
    if (model.ok()) return "";
    std::string text = FormatError(model.status());
    for (size_t at = 0; (at = text.find(folder_.path().string())) != std::string::npos;) {
      text.replace(at, folder_.path().string().size(), "DIR");
    }
    return text;
  }

  static std::string Text(const ir::Value& value) {
    const auto bytes = value.tensor().Read();
    return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
  }

  TemporaryFolder folder_;
};

TEST_F(ImportExternalData, SharedFilesAndOffsets) {
  const auto model =
      Read({External("a", 3, {{"location", "w.bin"}, {"offset", "1"}, {"length", "3"}}),
            External("b", 4, {{"location", "w.bin"}, {"offset", "6"}}),
            External("c", 10, {{"location", "w.bin"}, {"checksum", "ignored"}}),
            External("d", 2, {{"location", "sub/v.bin"}, {"offset", "4"}}),
            External("e", 0, {{"location", "w.bin"}})});
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  const auto values = (*model)->graph().initializers();
  EXPECT_EQ(Text(*values[0]), "123");
  EXPECT_EQ(Text(*values[1]), "6789");
  EXPECT_EQ(Text(*values[2]), "0123456789");
  EXPECT_EQ(Text(*values[3]), "ef");
  EXPECT_EQ(Text(*values[4]), "");
  EXPECT_TRUE(values[0]->tensor().notes().external);
}

TEST_F(ImportExternalData, LinksInsideTheFolderAreFollowed) {
  std::filesystem::create_symlink("sub/v.bin", folder_ / "model/link");
  const auto model = Read({External("a", 6, {{"location", "link"}})});
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(Text(*(*model)->graph().initializers()[0]), "abcdef");
}

TEST_F(ImportExternalData, EscapesAreRefused) {
  const std::string place = "DIR/model/m.onnx: graph 'g': tensor 't': external data ";
  EXPECT_EQ(Error(6, {{"location", "../secret"}}),
            place + "'../secret' lies outside the model's folder");
  EXPECT_EQ(Error(6, {{"location", "sub/../../secret"}}),
            place + "'sub/../../secret' lies outside the model's folder");
  EXPECT_EQ(Error(6, {{"location", folder_ / "secret"}}),
            place + "'DIR/secret' lies outside the model's folder");
  std::filesystem::create_symlink("../secret", folder_ / "model/file_link");
  EXPECT_EQ(Error(6, {{"location", "file_link"}}),
            place + "'file_link' lies outside the model's folder: it is a link to 'DIR/secret'");
  std::filesystem::create_directory_symlink("..", folder_ / "model/dir_link");
  EXPECT_EQ(
      Error(6, {{"location", "dir_link/secret"}}),
      place + "'dir_link/secret' lies outside the model's folder: it is a link to 'DIR/secret'");
}

TEST_F(ImportExternalData, AFolderThatOnlyBeginsLikeTheModelsIsOutside) {
  std::filesystem::create_directory(folder_ / "model2");
  WriteFile(folder_ / "model2/x", "secret");
  std::filesystem::create_symlink("../model2/x", folder_ / "model/x");
  EXPECT_THAT(Error(6, {{"location", "x"}}), testing::HasSubstr("lies outside"));
}

TEST_F(ImportExternalData, BadEntriesAreErrors) {
  const std::string place = "DIR/model/m.onnx: graph 'g': tensor 't': ";
  EXPECT_EQ(Error(6, {}), place + "external data has no location");
  EXPECT_EQ(Error(6, {{"location", "none.bin"}}),
            place + "external data 'none.bin': No such file or directory");
  EXPECT_EQ(Error(6, {{"location", "sub"}}),
            "DIR/model/sub: graph 'g': tensor 't': is not a regular file");
  EXPECT_EQ(Error(6, {{"location", "w.bin"}, {"offset", "-1"}}),
            place + "offset '-1' of external data is not a number");
  EXPECT_EQ(Error(6, {{"location", "w.bin"}, {"length", "6x"}}),
            place + "length '6x' of external data is not a number");
  EXPECT_EQ(Error(6, {{"location", "w.bin"}, {"length", "5"}}),
            place + "tensor data has 5 bytes, its shape needs 6");
  EXPECT_EQ(Error(6, {{"location", "w.bin"}, {"offset", "5"}}),
            place +
                "external data 'w.bin': tensor data ends after byte 10 of the file, its shape "
                "needs 6 bytes from byte 5");
  EXPECT_EQ(Error(6, {{"location", "w.bin"}, {"offset", "18446744073709551615"}}),
            place +
                "external data 'w.bin': tensor data ends after byte 10 of the file, its shape "
                "needs 6 bytes from byte 18446744073709551615");
  EXPECT_EQ(Error(6, {{"location", std::string("w.bin\0x", 7)}}),
            place + "external data location contains a zero byte");
  // An address is no place that a file may name.
  EXPECT_THAT(Error(6, {{"location", "*/_ORT_MEM_ADDR_/*"}, {"offset", "4096"}}),
              testing::HasSubstr("No such file"));
}

TEST_F(ImportExternalData, StringsAndDoubleDataAreErrors) {
  onnx::TensorProto strings = External("t", 1, {{"location", "w.bin"}});
  strings.set_data_type(onnx::TensorProto::STRING);
  EXPECT_THAT(FormatError(Read({strings}).status()),
              testing::HasSubstr("tensor 't': strings cannot be external data"));
  onnx::TensorProto both = External("t", 1, {{"location", "w.bin"}});
  both.set_raw_data("x");
  EXPECT_THAT(FormatError(Read({both}).status()),
              testing::HasSubstr("tensor 't': tensor has data in the model and external data"));
}

TEST_F(ImportExternalData, ModelsInMemoryNeedAFolder) {
  onnx::ModelProto proto = ModelWithGraph("name: 'g'");
  *proto.mutable_graph()->add_initializer() = External("t", 10, {{"location", "w.bin"}});
  EXPECT_EQ(ImportError(proto),
            "test.onnx: graph 'g': tensor 't': external data 'w.bin' cannot be found: the model is "
            "not read from a file");
  const auto model = frontends::ImportOnnxBytes(BytesOf(proto.SerializeAsString()), "test.onnx",
                                                {.external_data_folder = folder_ / "model"});
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
}

TEST_F(ImportExternalData, FilesCanStandElsewhere) {
  onnx::ModelProto proto = ModelWithGraph("name: 'g'");
  *proto.mutable_graph()->add_initializer() = External("t", 10, {{"location", "later.bin"}});
  const std::string message = proto.SerializeAsString();
  const auto bytes = BytesOf(message);
  const std::string file = folder_ / "model/w.bin";
  const auto model =
      frontends::ImportOnnxBytes(bytes, "test.onnx", {.external_files = {{"later.bin", file}}});
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_THAT(FormatError(frontends::ImportOnnxBytes(
                              bytes, "test.onnx", {.external_files = {{"later.bin", file + "x"}}})
                              .status()),
              testing::HasSubstr("w.binx"));
}

TEST_F(ImportExternalData, AModelInTheCurrentFolderFindsItsData) {
  ASSERT_TRUE(Read({External("t", 10, {{"location", "w.bin"}})}).ok());
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_ / "model");
  const auto model = frontends::ImportOnnx("m.onnx");
  std::filesystem::current_path(before);
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
}

}  // namespace
}  // namespace lathe::test
