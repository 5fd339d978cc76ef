#include <algorithm>
#include <cstdlib>

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
                            "float model\n"
                            "facts: conv-bn-fused, weights-folded\n"
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
            R"("form":"float model","facts":["conv-bn-fused","weights-folded"],)"
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

// Models that the reference wrote are what they are, and passes can start from them.
class GoldenForms : public testing::Test {
 protected:
  void SetUp() override {
    const char* shared = std::getenv("LATHE_SHARED_DIR");
    golden_ = (shared != nullptr ? std::string(shared) : LATHE_SOURCE_DIR "/../shared") +
              "/golden/ptq_lenet/";
    if (!std::filesystem::exists(golden_)) {
      GTEST_SKIP() << golden_ << " is missing: forms of the reference's models are NOT tested";
    }
  }
  // The form and whether a fact is listed.
  std::string Form(const std::string& file) {
    const LatheResult result = RunLathe(folder_, {"--json", "inspect", golden_ + file});
    const auto json = nlohmann::ordered_json::parse(result.out, nullptr, false);
    if (json.is_discarded()) return result.err;
    std::string text = json["form"];
    for (const char* fact : {"weights-rounded", "ascend-lowered", "fake-quant-lowered"}) {
      if (std::ranges::find(json["facts"], fact) != json["facts"].end()) {
        text += std::string(", ") + fact;
      }
    }
    return text;
  }

  TestFolder folder_;
  std::string golden_;
};

TEST_F(GoldenForms, AreRecognised) {
  EXPECT_EQ(Form("original.onnx"), "float model");
  EXPECT_EQ(Form("modified.onnx"), "modified model, weights-rounded");
  EXPECT_EQ(Form("deploy_model.onnx"), "deploy model, ascend-lowered");
  EXPECT_EQ(Form("fake_quant_model.onnx"), "fake-quant model, fake-quant-lowered");
}

TEST_F(GoldenForms, CountForTheOrderOfAPipeline) {
  const auto run = [&](const std::string& file) {
    return RunLathe(folder_,
                    {"opt", golden_ + file, "-o", "b.onnx", "--passes", "share-ascend-quant",
                     "--assume", "quant-points-marked", "--assume", "calibrated"});
  };
  // The order is right, and the pass runs; there is no record that it could read.
  const LatheResult ran = run("deploy_model.onnx");
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.err, "lathe: error: pass share-ascend-quant: needs a record, and none was given\n");
  const LatheResult refused = run("modified.onnx");
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err,
            "lathe: error: pass share-ascend-quant (number 1) needs the fact 'ascend-lowered', "
            "which does not hold; run insert-ascend-dequant or insert-ascend-quant before it\n");
}

TEST(InspectCommand, Checkpoints) {
  const TestFolder folder;
  const std::string header = R"({"conv.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                             R"("n":{"dtype":"I64","shape":[],"data_offsets":[8,16]}})";
  // The length's upper bytes are zero.
  WriteFile(folder / "a.bin", static_cast<char>(header.size()) + std::string(7, '\0') + header +
                                  std::string(16, '\0'));
  const auto bytes = std::to_string(std::filesystem::file_size(folder / "a.bin"));
  const LatheResult text = RunLathe(folder, {"inspect", "a.bin"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_EQ(text.out, "a.bin: " + bytes +
                          " B, safetensors file\n"
                          "\n2 tensors, 3 elements, 16 B\n"
                          "  conv.weight  f32[1,2]\n"
                          "  n            i64[]\n");
  const LatheResult json = RunLathe(folder, {"--json", "inspect", "a.bin"});
  EXPECT_EQ(json.status, 0) << json.err;
  EXPECT_EQ(nlohmann::ordered_json::parse(json.out, nullptr, false).dump(),
            R"({"checkpoint":"a.bin","file_bytes":)" + bytes +
                R"(,"form":"safetensors file","state_dicts":[{"name":"","tensors":[)"
                R"({"name":"conv.weight","type":"f32[1,2]"},{"name":"n","type":"i64[]"}],)"
                R"("others":[]}]})");
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
