// What importing costs.
#include <chrono>
#include <malloc.h>

#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

size_t HeapInUse() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(ImportCost, AHundredMegabytesOfWeightsAddLittleHeap) {
  const TemporaryFolder folder;
  {
    onnx::ModelProto proto = ModelWithGraph("name: 'g' input { name: 'v0' }");
    onnx::GraphProto& graph = *proto.mutable_graph();
    for (int i = 0; i < 200; ++i) {
      onnx::TensorProto& weight = *graph.add_initializer();
      weight.set_name("w" + std::to_string(i));
      weight.set_data_type(onnx::TensorProto::FLOAT);
      weight.add_dims(125'000);
      // Half of them in the typed field.
      if (i % 2 == 0) {
        weight.set_raw_data(std::string(500'000, static_cast<char>(i)));
      } else {
        weight.mutable_float_data()->Resize(125'000, static_cast<float>(i));
      }
      onnx::NodeProto& node = *graph.add_node();
      node.set_op_type("Mul");
      node.add_input("v" + std::to_string(i));
      node.add_input(weight.name());
      node.add_output("v" + std::to_string(i + 1));
    }
    std::ofstream file(folder / "m.onnx", std::ios::binary);
    ASSERT_TRUE(proto.SerializeToOstream(&file));
  }
  ASSERT_GT(std::filesystem::file_size(folder / "m.onnx"), 100'000'000u);
  const size_t before = HeapInUse();
  const auto model = frontends::ImportOnnx(folder / "m.onnx");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  const size_t added = HeapInUse() - before;
  EXPECT_LT(added, 1'000'000u);
  EXPECT_EQ((*model)->graph().initializers()[1]->tensor().Values<float>()->at(7), 1);

  // Export to a file does not hold the weights either: the peak is not visible here, but what
  // remains is.
  ASSERT_TRUE(backends::ExportOnnx(**model, folder / "out.onnx").ok());
  EXPECT_LT(HeapInUse() - before, 1'500'000u);
  EXPECT_EQ(std::filesystem::file_size(folder / "out.onnx"),
            std::filesystem::file_size(folder / "m.onnx"));
}

// 200,000 nodes: linear, not quadratic.
TEST(ImportCost, ManyNodesTakeLinearTime) {
  onnx::ModelProto proto = ModelWithGraph("name: 'g' input { name: 'v0' }");
  constexpr int kNodes = 200'000;
  for (int i = 0; i < kNodes; ++i) {
    onnx::NodeProto& node = *proto.mutable_graph()->add_node();
    node.set_name("n" + std::to_string(i));
    node.set_op_type("Relu");
    node.add_input("v" + std::to_string(i));
    node.add_output("v" + std::to_string(i + 1));
  }
  const std::string message = proto.SerializeAsString();
  const auto start = std::chrono::steady_clock::now();
  const auto model = ImportText(message);
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  const auto exported = backends::SerializeOnnx(**model);
  ASSERT_TRUE(exported.ok());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(*exported == message);
  // About 0.3 s; a quadratic step would take minutes.
  EXPECT_LT(taken.count(), 20);
}

}  // namespace
}  // namespace lathe::test
