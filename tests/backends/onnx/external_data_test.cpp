// Data in a file beside the model.
#include <cstring>
#include <malloc.h>

#include <sys/stat.h>

#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

onnx::ModelProto TwoTensors() {
  return ModelWithGraph(R"pb(
    name: "g"
    initializer {
      name: "a"
      dims: 3
      data_type: 1
      float_data: [ 1, 2, 3 ]
    }
    initializer {
      name: "b"
      dims: 2
      data_type: 7
      int64_data: [ 4, 5 ]
    }
    initializer { name: "s" data_type: 8 string_data: "text" }
    node {
      op_type: "Constant"
      output: "c"
      attribute {
        name: "value"
        type: TENSOR
        t { dims: 4 data_type: 2 raw_data: "wxyz" }
      }
    }
    output { name: "c" }
  )pb");
}

std::vector<std::string> ExternalEntries(const onnx::TensorProto& tensor) {
  std::vector<std::string> entries;
  for (const auto& entry : tensor.external_data()) {
    entries.push_back(entry.key() + "=" + entry.value());
  }
  return entries;
}

TEST(ExportExternalData, LaysOutTheDataFile) {
  const TemporaryFolder folder;
  onnx::ModelProto proto = TwoTensors();
  // Large enough that the message without it is below the limit and with it is not.
  proto.mutable_graph()->mutable_initializer(0)->clear_float_data();
  proto.mutable_graph()->mutable_initializer(0)->set_dims(0, 1001);
  proto.mutable_graph()->mutable_initializer(0)->set_raw_data(std::string(4004, 'a'));
  const auto model = Import(proto);
  ASSERT_TRUE(model.ok());
  const Status status = backends::ExportOnnx(**model, folder / "m.onnx",
                                             {.message_limit = 4000, .external_threshold = 16});
  ASSERT_TRUE(status.ok()) << FormatError(status);
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(ReadFile(folder / "m.onnx")));
  EXPECT_THAT(ExternalEntries(parsed.graph().initializer(0)),
              testing::ElementsAre("location=m.onnx.data", "offset=0", "length=4004"));
  EXPECT_THAT(ExternalEntries(parsed.graph().initializer(1)),
              testing::ElementsAre("location=m.onnx.data", "offset=4032", "length=16"));
  EXPECT_EQ(parsed.graph().initializer(2).string_data(0), "text");
  EXPECT_EQ(parsed.graph().node(0).attribute(0).t().raw_data(), "wxyz");
  const std::string data = ReadFile(folder / "m.onnx.data");
  EXPECT_EQ(data.size(), 4048u);
  EXPECT_EQ(data.substr(0, 4004), std::string(4004, 'a'));
  EXPECT_EQ(data.substr(4004, 28), std::string(28, '\0'));
  EXPECT_EQ(data.substr(4032), std::string("\4\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0", 16));

  // Read back and written again: data that was external stays it, the bytes are the same.
  const auto again = frontends::ImportOnnx(folder / "m.onnx");
  ASSERT_TRUE(again.ok()) << FormatError(again.status());
  EXPECT_EQ(*(*again)->graph().initializers()[1]->tensor().Values<int64_t>(),
            (std::vector<int64_t>{4, 5}));
  std::filesystem::create_directory(folder / "second");
  ASSERT_TRUE(backends::ExportOnnx(**again, folder / "second/m.onnx").ok());
  EXPECT_EQ(ReadFile(folder / "second/m.onnx"), ReadFile(folder / "m.onnx"));
  EXPECT_EQ(ReadFile(folder / "second/m.onnx.data"), data);
  // Also over itself, while the data is mapped.
  ASSERT_TRUE(backends::ExportOnnx(**again, folder / "m.onnx").ok());
  EXPECT_EQ(ReadFile(folder / "m.onnx.data"), data);
}

TEST(ExportExternalData, AStructureOverTheLimitIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  const auto model = Import(TwoTensors());
  ASSERT_TRUE(model.ok());
  const Status status = backends::ExportOnnx(**model, folder / "m.onnx", {.message_limit = 10});
  EXPECT_THAT(
      FormatError(status),
      testing::MatchesRegex(".*m.onnx: the model's message takes [0-9]+ bytes, more than the "
                            "10 that readers accept"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ExportExternalData, NoFolderLeavesNothing) {
  const TemporaryFolder folder;
  const auto model = Import(TwoTensors());
  ASSERT_TRUE(model.ok());
  const Status status = backends::ExportOnnx(**model, folder / "missing/m.onnx");
  EXPECT_EQ(FormatError(status),
            (folder / "missing/m.onnx") + ": cannot create: No such file or directory");
}

// A sparse file stands for 2.2 GB of weights.
TEST(ExportExternalData, MoreThanTwoGigabytes) {
  if (std::getenv("LATHE_BIG_TESTS") == nullptr) {
    GTEST_SKIP() << "NOT TESTED: writes 2.2 GB; set LATHE_BIG_TESTS=1";
  }
  const TemporaryFolder folder;
  constexpr int64_t kTensors = 22;
  constexpr int64_t kElements = 25'000'000;
  onnx::ModelProto proto = ModelWithGraph("name: 'big'");
  for (int64_t i = 0; i < kTensors; ++i) {
    onnx::TensorProto& tensor = *proto.mutable_graph()->add_initializer();
    tensor.set_name("w" + std::to_string(i));
    tensor.set_data_type(1);
    tensor.add_dims(kElements);
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair<std::string, std::string>("location", "w.bin"),
                                     {"offset", std::to_string(i * kElements * 4)},
                                     {"length", std::to_string(kElements * 4)}}) {
      auto* entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
  }
  WriteFile(folder / "big.onnx", proto.SerializeAsString());
  WriteFile(folder / "w.bin", "abcd");
  std::filesystem::resize_file(folder / "w.bin", kTensors * kElements * 4);

  const auto heap = [] { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; };
  const size_t before = heap();
  auto model = frontends::ImportOnnx(folder / "big.onnx");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  const auto& weights = (*model)->graph().initializers();
  ASSERT_EQ(weights.size(), kTensors);
  EXPECT_EQ(std::memcmp(weights[0]->tensor().Read()->data(), "abcd", 4), 0);
  const auto too_large = backends::SerializeOnnx(**model);
  EXPECT_THAT(FormatError(too_large.status()), testing::HasSubstr("more than the 2147483647"));
  const Status status = backends::ExportOnnx(**model, folder / "out.onnx");
  ASSERT_TRUE(status.ok()) << FormatError(status);
  EXPECT_LT(heap() - before, size_t{1} << 20);
  EXPECT_EQ(std::filesystem::file_size(folder / "out.onnx.data"), 2'200'000'000u);
  const auto again = frontends::ImportOnnx(folder / "out.onnx");
  ASSERT_TRUE(again.ok()) << FormatError(again.status());
  EXPECT_TRUE(*(*again)->graph().initializers()[0]->tensor().EqualContents(weights[0]->tensor()));
}

}  // namespace
}  // namespace lathe::test
