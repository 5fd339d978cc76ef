// lathe explain MODEL NODE.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lathe/tests/tools/run_lathe.h"
#include "lathe/tests/tools/sample_models.h"

namespace lathe::tools {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ExplainCommand : public testing::Test {
 protected:
  ExplainCommand() {
    passes::GraphBuilder net;
    net.rewriter().SetGraphText(net.graph(), "net", "", {});
    ir::Value* conv =
        net.Op("Conv", "conv", {net.Input("x"), net.Init("w", {2, 2, 1, 1}), net.Init("b", {2})});
    ir::Value* bn = net.Op("BatchNormalization", "bn",
                           {conv, net.Init("gamma", {2}), net.Init("beta", {2}),
                            net.Init("mean", {2}), net.Init("var", {2})});
    ir::Value* relu = net.Op("Relu", "act", {net.Op("Relu", "first", {bn})});
    net.Output(net.Op("Conv", "computed", {relu, net.Op("Neg", "neg", {net.Input("v")})}));
    Write(net.model(), folder / "a.onnx");
  }

  std::string Explain(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"explain", "a.onnx"});
    const LatheResult result = RunLathe(folder, arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }
  TestFolder folder;
};

TEST_F(ExplainCommand, ALayerThatWouldBeQuantised) {
  EXPECT_EQ(Explain({"conv"}),
            "'conv' (Conv) of a float model\n"
            "would be quantised as Conv2d\n"
            "  activation: 8 bits, IFMR, with an offset\n"
            "  weight: 8 bits, ARQ, a scale for each channel\n"
            "\n"
            "rules of freeze-inputs,name-nodes,fold-weights,normalize-gemm,fuse-conv-bn\n"
            "'conv' (Conv) in fuse-conv-bn, as part of a match\n"
            "  fold-batch-norm: applied, with 'bn'\n"
            "\n"
            "rules of canonicalize\n"
            "'conv' (Conv) in fuse-conv-bn, as part of a match\n"
            "  fold-batch-norm: applied, with 'bn'\n");
}

TEST_F(ExplainCommand, LayersThatStayFloat) {
  EXPECT_THAT(Explain({"computed"}), StartsWith("'computed' (Conv) of a float model\n"
                                                "stays float: its weight is computed\n"));
  EXPECT_THAT(Explain({"act"}), HasSubstr("\nstays float: Relu is never quantised\n"));
  WriteFile(folder / "c.cfg", "skip_layers : \"conv\"\n");
  const LatheResult all = RunLathe(folder, {"explain", "a.onnx", "conv", "--cfg", "c.cfg"});
  EXPECT_EQ(all.status, 1);
  EXPECT_THAT(all.err, StartsWith("lathe: error: "));
}

TEST_F(ExplainCommand, ANodeThatIsFoldedAway) {
  EXPECT_THAT(Explain({"bn"}),
              HasSubstr("\nrules of freeze-inputs,name-nodes,fold-weights,normalize-gemm,"
                        "fuse-conv-bn\n"
                        "'bn' (BatchNormalization) in fuse-conv-bn\n"
                        "  fold-batch-norm: applied, with 'conv'\n"));
}

TEST_F(ExplainCommand, JsonSaysTheSame) {
  const auto json = nlohmann::json::parse(Explain({"conv", "--json"}), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["node"], "conv");
  EXPECT_EQ(json["op"], "Conv");
  EXPECT_EQ(json["form"], "float model");
  EXPECT_EQ(json["quantized"], true);
  EXPECT_EQ(json["details"].size(), 2u);
  ASSERT_EQ(json["pipelines"].size(), 2u);
  EXPECT_EQ(json["pipelines"][1]["pipeline"], "canonicalize");
  const auto& last = json["pipelines"][0]["explain"].back();
  EXPECT_EQ(last["pass"], "fuse-conv-bn");
  EXPECT_EQ(last["as_part"], true);
  EXPECT_EQ(last["attempts"][0]["rule"], "fold-batch-norm");
}

TEST_F(ExplainCommand, ADeployModelShowsWhatWasDone) {
  passes::GraphBuilder net;
  net.rewriter().MutableInfo().opset_imports = {{"", 13}};
  net.rewriter().SetGraphText(net.graph(), "net", "", {});
  ir::Value* quant = net.Op("AscendQuant", "conv.quant", {net.Input("x")},
                            {{"scale", 2.0f}, {"offset", 5.0f}, {"dst_type", "INT8"}});
  ir::Value* conv = net.Op("Conv", "conv", {quant, net.Init("w", {2, 2, 1, 1})});
  ir::Value* dequant = net.Op("AscendDequant", "conv.dequant", {conv, net.Init("d", {1})});
  net.Output(net.Op("Conv", "last", {dequant, net.Init("w2", {2, 2, 1, 1})}));
  Write(net.model(), folder / "a.onnx");
  EXPECT_THAT(Explain({"conv"}), StartsWith("'conv' (Conv) of a deploy model\n"
                                            "is quantised as Conv2d\n"
                                            "  'conv.quant' quantises its input: INT8, scale 2, "
                                            "offset 5\n"));
  EXPECT_THAT(Explain({"last"}), HasSubstr("\nstays float: nothing quantises its input\n"));
  EXPECT_THAT(Explain({"conv.quant"}), HasSubstr("\nbelongs to the quantisation itself\n"));
}

TEST_F(ExplainCommand, UnknownNodes) {
  const LatheResult result = RunLathe(folder, {"explain", "a.onnx", "konv"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err,
            "lathe: error: a.onnx: the model has no node or node's output 'konv'; did you mean "
            "'conv'?\n");
}

}  // namespace
}  // namespace lathe::tools
