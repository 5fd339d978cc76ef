// The lowering passes, on the golden model of the reference's 6.6 and on small nets for each
// condition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/tests/passes/lowering/lowering_net.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Net = LoweringNet;

// conv (2 to 2 channels) and fc of the reference's 6.6, after fusion and calibration.
struct Golden : Net {
  Golden() {
    ir::Value* conv = Op("Conv", "conv",
                         {Input("x", {1, 2, 2, 2}),
                          Constant("conv.weight", {2, 2, 1, 1}, {0.5f, -1, 0.25f, 0.12598425f}),
                          Constant("conv.bias", {2}, {-0.5f, -0.25f})});
    ir::Value* flat =
        Op("Flatten", "flat", {Op("GlobalAveragePool", "pool", {Op("Relu", "relu", {conv})})});
    Output(Op("Gemm", "fc",
              {flat, Constant("fc.weight", {2, 2}, {1, -0.503937f, 0.2519685f, 0.7480315f}),
               Constant("fc.bias", {2}, {0.1f, -0.2f})},
              {{"transB", int64_t{1}}}));
    Record("conv", 0.018509805f, -74, {0.0078125f, 0.001968504f});
    Record("fc", 0.0008009109f, -128, {0.007874016f});
  }
};

TEST(Lowering, TheGoldenModelOfTheReference) {
  Golden net;
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  EXPECT_EQ(Listing(net.graph()),
            "conv.quant.output0 = AscendQuant(x)\n"
            "conv = Conv(conv.quant.output0, conv.weight, conv.bias)\n"
            "conv.dequant.output0 = AscendDequant(conv, conv.dequant.param)\n"
            "relu = Relu(conv.dequant.output0)\n"
            "pool = GlobalAveragePool(relu)\n"
            "flat = Flatten(pool)\n"
            "fc.quant.output0 = AscendQuant(flat)\n"
            "fc_output0 = Gemm(fc.quant.output0, fc.weight, fc.bias)\n"
            "fc = AscendDequant(fc_output0, fc.dequant.param)\n"
            "return fc\n");
  const ir::Node& quant = *net.Find("conv.quant");
  EXPECT_FLOAT_EQ(quant.FloatAttribute("scale", 0), 54.02542f);
  EXPECT_EQ(quant.FloatAttribute("offset", 0), -74);
  EXPECT_EQ(quant.StringAttribute("dst_type", ""), "INT8");
  const ir::Node& conv = *net.Find("conv");
  EXPECT_THAT(*conv.input(1)->tensor().Values<int8_t>(), ElementsAre(64, -128, 127, 64));
  EXPECT_THAT(*conv.input(2)->tensor().Values<int32_t>(), ElementsAre(-3458, -6861));
  EXPECT_THAT(*net.Find("conv.dequant")->input(1)->tensor().Values<uint64_t>(),
              ElementsAre(0x3917A1E0, 0x3818D387));
  const ir::Node& fc = *net.Find("fc");
  EXPECT_EQ(fc.IntAttribute("transB", 1), 0);
  EXPECT_THAT(*fc.input(1)->tensor().Values<int8_t>(), ElementsAre(127, 32, -64, 95));
  EXPECT_THAT(*fc.input(2)->tensor().Values<int32_t>(), ElementsAre(15857, -31714));
  EXPECT_THAT(*net.Find("fc.dequant")->input(1)->tensor().Values<uint64_t>(),
              ElementsAre(0x36D39B6F));
}

TEST(Lowering, FakeQuantOfTheGoldenModel) {
  Golden net;
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  ASSERT_TRUE(net.Run(kFakeQuantPipeline).ok());
  std::vector<std::string> operators;
  for (const ir::Node& node : net.graph().nodes()) operators.emplace_back(node.op_text());
  EXPECT_THAT(operators,
              ElementsAre("Constant", "Constant", "Constant", "Constant", "Constant", "Constant",
                          "Constant", "Constant", "Constant", "Constant", "Mul", "Round", "Add",
                          "Clip", "Sub", "Conv", "Mul", "Relu", "GlobalAveragePool", "Flatten",
                          "Mul", "Round", "Add", "Clip", "Sub", "Gemm", "Mul"));
  EXPECT_THAT(*net.Find("conv")->input(1)->tensor().Values<float>(),
              ElementsAre(64, -128, 127, 64));
  EXPECT_THAT(*net.Find("conv")->input(2)->tensor().Values<float>(), ElementsAre(-3458, -6861));
  const ir::Tensor scale = net.Find("conv.fakedequant.mul")->input(1)->ConstantTensor();
  EXPECT_THAT(scale.dims(), ElementsAre(1, 2, 1, 1));
  const ir::Tensor fc_scale = net.Find("fc.fakedequant.mul")->input(1)->ConstantTensor();
  EXPECT_THAT(fc_scale.dims(), ElementsAre(1, 1));
  EXPECT_FLOAT_EQ(*fc_scale.ScalarValue<float>(), 6.3063849e-06f);
  EXPECT_EQ(net.Find("fc.fakedequant.mul")->output()->name_text(), "fc");
  for (const ir::Value* value : net.graph().initializers()) {
    EXPECT_EQ(value->tensor().element_type(), ir::ElementType::kFloat32) << value->name_text();
  }
}

TEST(Lowering, EqualFactorsShareOneAscendQuant) {
  for (const float other : {0.5f, 0.25f}) {
    Net net;
    ir::Value* x = net.Input("x");
    net.Output(net.Op("Conv", "a", {x, net.Init("wa", {2, 2, 1, 1})}));
    net.Output(net.Op("Conv", "b", {x, net.Init("wb", {2, 2, 1, 1})}));
    net.Record("a", 0.5f, 3, {1});
    net.Record("b", other, 3, {1});
    ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
    EXPECT_EQ(net.Find("b.quant") == nullptr, other == 0.5f);
    EXPECT_EQ(net.Find("b")->input(0)->name_text(),
              other == 0.5f ? "a.quant.output0" : "b.quant.output0");
  }
}

TEST(Lowering, PaddedAveragePoolIsQuantisedBeforeThePad) {
  Net net;
  ir::Value* padded = net.Op("Pad", "p_pad", {net.Input("x"), net.Init("pads", {8}, 0)});
  net.Output(net.Op("AveragePool", "p", {padded}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}));
  net.Record("p", 0.5f, 0, {1});
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  EXPECT_EQ(Listing(net.graph()),
            "p.quant.output0 = AscendQuant(x)\n"
            "p_pad = Pad(p.quant.output0, pads)\n"
            "p_output0 = AveragePool(p_pad)\n"
            "p = AscendDequant(p_output0, p.dequant.param)\n"
            "return p\n");
}

TEST(Lowering, MatMulWithBiasIsDequantisedAfterTheAdd) {
  Net net;
  ir::Value* product = net.Op("MatMul", "m", {net.Input("x", {4, 2}), net.Init("w", {2, 3})});
  net.Output(net.Op("Relu", "y", {net.Op("Add", "add", {product, net.Init("b", {3}, 2)})}));
  net.Record("m", 0.5f, 0, {0.25f});
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  EXPECT_EQ(Listing(net.graph()),
            "m.quant.output0 = AscendQuant(x)\n"
            "m = MatMul(m.quant.output0, w)\n"
            "add = Add(m, b)\n"
            "m.dequant.output0 = AscendDequant(add, m.dequant.param)\n"
            "y = Relu(m.dequant.output0)\n"
            "return y\n");
  EXPECT_THAT(*net.Find("add")->input(1)->tensor().Values<int32_t>(), ElementsAre(16, 16, 16));
}

TEST(Lowering, FourBitWeightsArePackedForDeploymentOnly) {
  Net net;
  net.Output(
      net.Op("Conv", "c", {net.Input("x"), net.Constant("w", {1, 4, 1, 1}, {1, -2, 7, -8})}));
  net.Record("c", 0.5f, 0, {1}).wts_type = "INT4";
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  const std::unique_ptr<ir::Model> copy = net.model().Clone();
  ASSERT_TRUE(net.Run(kDeployPipeline).ok());
  const ir::Tensor packed = net.Find("c")->input(1)->tensor();
  EXPECT_THAT(packed.dims(), ElementsAre(1, 2, 1, 1));
  EXPECT_THAT(*packed.Values<int8_t>(), ElementsAre(-31, -121));
}

TEST(Lowering, FourBitWeightsNeedAnEvenNumberOfInputChannels) {
  Net net;
  net.Output(net.Op("Conv", "c", {net.Input("x"), net.Init("w", {1, 3, 1, 1})}));
  net.Record("c", 0.5f, 0, {1}).wts_type = "INT4";
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  EXPECT_EQ(
      FormatError(net.Run(kDeployPipeline)),
      "node 'c': pass lower-to-deploy: 4-bit weights need an even number of input channels, not 3");
}

TEST(Lowering, FourBitActivationsCastTheBias) {
  Net net;
  net.Output(
      net.Op("Conv", "c", {net.Input("x"), net.Init("w", {2, 2, 1, 1}), net.Init("b", {2})}));
  net.Record("c", 0.5f, 0, {1}).act_type = "INT4";
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  ASSERT_NE(net.Find("c.bias_quant"), nullptr);
  EXPECT_EQ(net.Find("c")->input(2)->producer(), net.Find("c.bias_quant"));
  ASSERT_TRUE(net.Run(kFakeQuantPipeline).ok());
  EXPECT_EQ(net.Find("c.bias_quant"), nullptr);
  EXPECT_EQ(*net.Find("c.quant.fakequant.clip")->input(2)->ConstantTensor().ScalarValue<float>(),
            7);
}

TEST(Lowering, ABiasThatLeavesInt32IsAnErrorThatNamesTheLayer) {
  Net net;
  net.Output(
      net.Op("Conv", "c", {net.Input("x"), net.Init("w", {2, 2, 1, 1}), net.Init("b", {2}, 1e9f)}));
  net.Record("c", 0.01f, 0, {0.01f});
  EXPECT_THAT(FormatError(net.Run(kLoweringPipeline)), HasSubstr("node 'c': pass quantize-bias: "));
}

TEST(Lowering, TruncatedScalesOnRequestOfTheRecord) {
  Net net;
  net.Output(net.Op("Conv", "c", {net.Input("x"), net.Init("w", {2, 2, 1, 1})}));
  net.Record("c", 0.015686275f, 0, {0.0078125f, 0.0023622047f}).fakequant_precision_mode =
      "FORCE_FP16_QUANT";
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  EXPECT_THAT(*net.Find("c.dequant")->input(1)->tensor().Values<uint64_t>(),
              ElementsAre(0x39008000, 0x381B6000));
}

TEST(Lowering, SharedWeightIsCopiedBeforeItBecomesIntegers) {
  Net net;
  ir::Value* weight = net.Init("w", {2, 2, 1, 1}, 3);
  net.Output(net.Op("Conv", "a", {net.Input("x"), weight}));
  net.Output(net.Op("Conv", "b", {net.Input("y"), weight}));
  net.Record("a", 0.5f, 0, {1});
  ASSERT_TRUE(net.Run(kLoweringPipeline).ok());
  EXPECT_EQ(net.Find("a")->input(1)->tensor().element_type(), ir::ElementType::kInt8);
  EXPECT_EQ(net.Find("b")->input(1)->tensor().element_type(), ir::ElementType::kFloat32);
}

TEST(Lowering, AGemmWeightThatOthersReadIsCopiedBeforeItIsTransposed) {
  Net net;
  ir::Value* weight = net.Constant("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  const auto gemm = [&](const std::string& name, const std::string& input) {
    net.Output(net.Op("Gemm", name, {net.Input(input, {1, 3}), weight}, {{"transB", int64_t{1}}}));
  };
  gemm("a", "x");
  gemm("b", "y");
  net.Record("a", 0.5f, 0, {1});
  ASSERT_TRUE(net.Run("mark-quant-points,transpose-gemm-weight").ok());
  EXPECT_EQ(net.Find("a")->IntAttribute("transB", 1), 0);
  EXPECT_THAT(net.Find("a")->input(1)->tensor().dims(), ElementsAre(3, 2));
  EXPECT_THAT(*net.Find("a")->input(1)->tensor().Values<float>(), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_EQ(net.Find("b")->IntAttribute("transB", 0), 1);
  EXPECT_THAT(*net.Find("b")->input(1)->tensor().Values<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  // What is laid out already stays.
  const std::string before = Listing(net.graph());
  ASSERT_TRUE(net.Run("mark-quant-points,transpose-gemm-weight").ok());
  EXPECT_EQ(Listing(net.graph()), before);
}

TEST(Lowering, DifferentOffsetsWidthsOrValuesDoNotShare) {
  const auto quants = [](int32_t offset, const std::string& type, bool other_value) {
    Net net;
    ir::Value* x = net.Input("x");
    net.Output(net.Op("Conv", "a", {x, net.Init("wa", {2, 2, 1, 1})}));
    net.Output(
        net.Op("Conv", "b", {other_value ? net.Input("z") : x, net.Init("wb", {2, 2, 1, 1})}));
    net.Record("a", 0.5f, 3, {1});
    net.Record("b", 0.5f, offset, {1}).act_type = type;
    EXPECT_TRUE(net.Run(kLoweringPipeline).ok());
    int count = 0;
    for (const ir::Node& node : net.graph().nodes()) count += node.Is("AscendQuant") ? 1 : 0;
    return count;
  };
  EXPECT_EQ(quants(3, "INT8", false), 1);
  EXPECT_EQ(quants(4, "INT8", false), 2);
  EXPECT_EQ(quants(3, "INT16", false), 2);
  EXPECT_EQ(quants(3, "INT8", true), 2);
}

TEST(Lowering, EveryPassLeavesUnmarkedLayersAlone) {
  for (const std::string_view pass :
       {"transpose-gemm-weight", "insert-ascend-quant", "quantize-weights", "insert-ascend-dequant",
        "insert-tensor-quant", "quantize-bias", "share-ascend-quant", "lower-to-deploy",
        "lower-to-fake-quant", "insert-calibration"}) {
    Golden net;
    const std::string before = Listing(net.graph());
    Resources resources;
    resources.Provide(&net.record);
    const auto report = RunWith(net.model(), pass, resources,
                                {"quant-points-marked", "calibrated", "ascend-lowered"});
    ASSERT_TRUE(report.ok()) << FormatError(report.status());
    EXPECT_FALSE(report->changed) << pass;
    EXPECT_EQ(Listing(net.graph()), before) << pass;
    EXPECT_EQ(net.Find("fc")->IntAttribute("transB", 0), 1) << pass;
    for (const ir::Value* value : net.graph().initializers()) {
      EXPECT_EQ(value->tensor().element_type(), ir::ElementType::kFloat32) << pass;
    }
  }
}

TEST(Lowering, WrongOrderIsRefused) {
  Net net;
  EXPECT_THAT(FormatError(net.Run("insert-ascend-quant")), HasSubstr("quant-points-marked"));
  EXPECT_THAT(FormatError(net.Run("lower-to-deploy")), HasSubstr("ascend-lowered"));
}

}  // namespace
}  // namespace lathe::passes
