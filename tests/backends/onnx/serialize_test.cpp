#include <cstring>

#include "lathe/ir/rewriter.h"
#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

using testing::SizeIs;

onnx::ModelProto TwoTensors() {
  return ModelWithGraph(R"pb(
    name: "g"
    initializer {
      name: "large"
      dims: 8
      data_type: 1
      float_data: [ 1, 2, 3, 4, 5, 6, 7, 8 ]
    }
    initializer { name: "small" dims: 1 data_type: 1 raw_data: "abcd" }
    output { name: "large" }
  )pb");
}

TEST(SerializeOnnx, NamesAddressesOfLargeTensors) {
  const auto model = Import(TwoTensors());
  ASSERT_TRUE(model.ok());
  std::vector<ir::TensorBytes> memory;
  const auto message = backends::SerializeOnnx(**model, {&memory, 32});
  ASSERT_TRUE(message.ok());
  ASSERT_THAT(memory, SizeIs(1));
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(*message));
  const onnx::TensorProto& large = parsed.graph().initializer(0);
  EXPECT_EQ(large.data_location(), onnx::TensorProto::EXTERNAL);
  EXPECT_EQ(large.float_data_size(), 0);
  EXPECT_FALSE(large.has_raw_data());
  ASSERT_EQ(large.external_data_size(), 3);
  EXPECT_EQ(large.external_data(0).key(), "location");
  EXPECT_EQ(large.external_data(0).value(), "*/_ORT_MEM_ADDR_/*");
  EXPECT_EQ(large.external_data(1).key(), "offset");
  EXPECT_EQ(large.external_data(2).value(), "32");
  const auto address =
      static_cast<uintptr_t>(std::strtoull(large.external_data(1).value().c_str(), nullptr, 10));
  EXPECT_EQ(address, reinterpret_cast<uintptr_t>(memory[0].data()));
  float second = 0;
  std::memcpy(&second, memory[0].data() + 4, 4);
  EXPECT_EQ(second, 2);
  EXPECT_EQ(parsed.graph().initializer(1).raw_data(), "abcd");
}

TEST(SerializeOnnx, ThresholdIsInclusive) {
  const auto model = Import(TwoTensors());
  ASSERT_TRUE(model.ok());
  std::vector<ir::TensorBytes> memory;
  ASSERT_TRUE(backends::SerializeOnnx(**model, {&memory, 33}).ok());
  EXPECT_THAT(memory, SizeIs(0));
}

TEST(SerializeOnnx, SkipsTheEntryOfAnErasedValue) {
  const auto model = Import(ModelWithGraph(R"pb(
    name: "g"
    input { name: "x" }
    node { name: "dead" op_type: "Relu" input: "x" output: "d" }
    value_info {
      name: "d"
      type { tensor_type { elem_type: 1 } }
    }
    output { name: "x" }
  )pb"));
  ASSERT_TRUE(model.ok());
  ir::Rewriter(**model).Erase(*(*model)->graph().first_node());
  const auto message = backends::SerializeOnnx(**model);
  ASSERT_TRUE(message.ok());
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(*message));
  EXPECT_EQ(parsed.graph().value_info_size(), 0);
  EXPECT_EQ(parsed.graph().node_size(), 0);
}

TEST(SerializeOnnx, SkipsTheEntryOfAnOmittedOutput) {
  const auto model = Import(ModelWithGraph(R"pb(
    name: "g"
    input { name: "x" }
    node { op_type: "MaxPool" input: "x" output: "y" output: "places" }
    value_info {
      name: "places"
      type { tensor_type { elem_type: 7 } }
    }
    output { name: "y" }
  )pb"));
  ASSERT_TRUE(model.ok());
  ir::Rewriter(**model).Rename(*(*model)->graph().first_node()->output(1), {});
  const auto message = backends::SerializeOnnx(**model);
  ASSERT_TRUE(message.ok());
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(*message));
  EXPECT_EQ(parsed.graph().value_info_size(), 0);
}

TEST(SerializeOnnx, WritesTheNewNameInsideBodies) {
  const auto model = Import(ModelWithGraph(R"pb(
    name: "g"
    input { name: "c" }
    node { op_type: "Relu" input: "c" output: "r" }
    node {
      op_type: "If"
      input: "c"
      output: "y"
      attribute {
        name: "then_branch"
        type: GRAPH
        g {
          name: "t"
          node { op_type: "Neg" input: "r" output: "o" }
          output { name: "o" }
        }
      }
    }
    output { name: "y" }
  )pb"));
  ASSERT_TRUE(model.ok());
  ir::Rewriter rewriter(**model);
  rewriter.Rename(*(*model)->graph().first_node()->output(), (*model)->Intern("renamed"));
  const auto message = backends::SerializeOnnx(**model);
  ASSERT_TRUE(message.ok());
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(*message));
  EXPECT_EQ(parsed.graph().node(0).output(0), "renamed");
  EXPECT_EQ(parsed.graph().node(1).attribute(0).g().node(0).input(0), "renamed");
}

TEST(SerializeOnnx, AFileThatWasShortenedIsAnError) {
  const TemporaryFolder folder;
  onnx::ModelProto proto = TwoTensors();
  proto.mutable_graph()->mutable_initializer(1)->set_dims(0, 4096);
  proto.mutable_graph()->mutable_initializer(1)->set_raw_data(std::string(16384, 'x'));
  WriteFile(folder / "m.onnx", proto.SerializeAsString());
  const auto model = frontends::ImportOnnx(folder / "m.onnx");
  ASSERT_TRUE(model.ok());
  std::filesystem::resize_file(folder / "m.onnx", 100);
  const Status status = backends::ExportOnnx(**model, folder / "out.onnx");
  EXPECT_EQ(FormatError(status),
            (folder / "m.onnx") + ": the file was shortened while it was in use");
  EXPECT_FALSE(std::filesystem::exists(folder / "out.onnx"));
}

TEST(SerializeOnnx, AFileCanBeWrittenOverItself) {
  const TemporaryFolder folder;
  const std::string original = TwoTensors().SerializeAsString();
  WriteFile(folder / "m.onnx", original);
  const auto model = frontends::ImportOnnx(folder / "m.onnx");
  ASSERT_TRUE(model.ok());
  ASSERT_TRUE(backends::ExportOnnx(**model, folder / "m.onnx").ok());
  EXPECT_EQ(ReadFile(folder / "m.onnx"), original);
  EXPECT_EQ((*model)->graph().initializers()[0]->tensor().Values<float>()->back(), 8);
}

}  // namespace
}  // namespace lathe::test
