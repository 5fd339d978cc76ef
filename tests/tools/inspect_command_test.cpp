#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lathe/tests/tools/run_lathe.h"
#include "lathe/tests/tools/sample_models.h"

namespace lathe::tools {
namespace {

TEST(InspectCommand, PrintsATable) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result = RunLathe(folder, {"inspect", "a.onnx"});
  EXPECT_EQ(result.status, 0) << result.err;
  const auto bytes = std::filesystem::file_size(folder / "a.onnx");
  EXPECT_EQ(result.out, "a.onnx: " + std::to_string(bytes) +
                            " B, ONNX IR version 8, opset 13, by tests\n"
                            "\ninputs\n"
                            "  x  f32[batch,2,4,4]\n"
                            "\noutputs\n"
                            "  y  f32[batch,2,4,4]\n"
                            "\noperators: 4 nodes\n"
                            "  Conv      1\n"
                            "  Identity  1\n"
                            "  Neg       1\n"
                            "  Relu      1\n"
                            "\nparameters: 4, 16 B\n"
                            "  f32  4  16 B  in 1 tensors\n");
}

TEST(InspectCommand, JsonIsOneObject) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result =
      RunLathe(folder, {"--json", "inspect", "a.onnx", "--shape", "x=1,2,4,4"});
  EXPECT_EQ(result.status, 0) << result.err;
  auto json = nlohmann::ordered_json::parse(result.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << result.out;
  json.erase("file_bytes");
  EXPECT_EQ(json.dump(),
            R"({"model":"a.onnx","ir_version":8,"opsets":{"ai.onnx":13},"producer":"tests",)"
            R"("inputs":[{"name":"x","type":"f32[1,2,4,4]"}],)"
            R"("outputs":[{"name":"y","type":"f32[1,2,4,4]"}],"nodes":4,"bodies":0,)"
            R"("functions":0,"operators":{"Conv":1,"Identity":1,"Neg":1,"Relu":1},)"
            R"("parameters":{"f32":{"tensors":1,"elements":4,"bytes":16}}})");
}

TEST(InspectCommand, BodiesFunctionsAndConstantsCount) {
  const TestFolder folder;
  passes::GraphBuilder net;
  ir::Node* branch = net.Node("If", "y", {net.Input("cond", {})});
  for (const char* name : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(name), false);
    ir::Node* node = net.Node(body, "Constant", std::string("c_") + name, {},
                              {{"value", ir::Tensor::Of({3}, std::vector<int64_t>{1, 2, 3})}});
    net.rewriter().AddGraphOutput(body, node->output());
  }
  net.Output(branch->output());
  ir::Node* custom = net.Node("Gelu", "g", {net.graph().inputs()[0]});
  net.rewriter().SetOperator(*custom, "Gelu", "com.microsoft");
  Write(net.model(), folder / "a.onnx");
  const LatheResult result = RunLathe(folder, {"--json", "inspect", "a.onnx"});
  EXPECT_EQ(result.status, 0) << result.err;
  const auto json = nlohmann::ordered_json::parse(result.out, nullptr, false);
  EXPECT_EQ(json["bodies"], 2);
  EXPECT_EQ(json["operators"].dump(), R"({"Constant":2,"If":1,"com.microsoft.Gelu":1})");
  EXPECT_EQ(json["parameters"].dump(), R"({"i64":{"tensors":2,"elements":6,"bytes":48}})");
}

TEST(InspectCommand, ADamagedFileIsOneLine) {
  const TestFolder folder;
  std::ofstream(folder / "bad.onnx") << "not a model";
  const LatheResult result = RunLathe(folder, {"inspect", "bad.onnx"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err.find("lathe: error: bad.onnx: "), 0u) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
}

}  // namespace
}  // namespace lathe::tools
