#include "lathe/passes/quant/normalize_gemm.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ::testing::Each;

struct Net : GraphBuilder {
  ir::Value* weight = Init("w", {8, 3}, 2);
  ir::Value* bias = Init("b", {3}, 3);

  ir::Node* Gemm(std::vector<std::pair<std::string, ir::PlainAttribute>> attributes,
                 std::vector<ir::Value*> inputs = {}) {
    if (inputs.empty()) inputs = {Input("x", {4, 8}), weight, bias};
    ir::Node* node = Node("Gemm", "g", inputs, std::move(attributes));
    Output(node->output());
    return node;
  }
};

void ExpectUntouched(Net& net) {
  const std::string before = Listing(net.graph());
  EXPECT_FALSE(RunPass(net.model(), "normalize-gemm").changed);
  EXPECT_EQ(Listing(net.graph()), before);
}

TEST(NormalizeGemm, AlphaAndBetaGoIntoTheConstants) {
  Net net;
  ir::Node* node = net.Gemm({{"alpha", 0.5f}, {"beta", -2.0f}});
  EXPECT_EQ(Statistic(RunPass(net.model(), "normalize-gemm"), "normalized"), 1);
  EXPECT_EQ(Listing(net.graph()), "g = Gemm(x, w, b)\nreturn g\n");
  EXPECT_THAT(*node->input(1)->tensor().Values<float>(), Each(1));
  EXPECT_THAT(*node->input(2)->tensor().Values<float>(), Each(-6));
  EXPECT_EQ(node->FloatAttribute("alpha", 0), 1);
  EXPECT_EQ(node->FloatAttribute("beta", 0), 1);
  EXPECT_TRUE(std::holds_alternative<QuantLayer>(InspectLayer(*node)));
  ExpectUntouched(net);
}

TEST(NormalizeGemm, ATransposedInputGetsANodeOfItsOwn) {
  Net net;
  ir::Value* x = net.Input("x", {8, 4});
  ir::Node* node = net.Gemm({{"transA", int64_t{1}}}, {x, net.weight});
  RunPass(net.model(), "normalize-gemm");
  EXPECT_EQ(Listing(net.graph()),
            "g_transpose.output0 = Transpose(x)\ng = Gemm(g_transpose.output0, w)\nreturn g\n");
  EXPECT_EQ(node->IntAttribute("transA", 0), 0);
  EXPECT_EQ(node->input(0)->type().StaticShape(), (std::vector<int64_t>{4, 8}));
}

TEST(NormalizeGemm, ABiasTimesZeroGoes) {
  Net net;
  net.Gemm({{"beta", 0.0f}});
  RunPass(net.model(), "normalize-gemm");
  EXPECT_EQ(Listing(net.graph()), "g = Gemm(x, w)\nreturn g\n");
  EXPECT_EQ(InitializerNames(net.graph()), std::vector<std::string>{"w"});
}

TEST(NormalizeGemm, ABiasThatOthersUseIsCopied) {
  Net net;
  ir::Node* node = net.Gemm({{"beta", 2.0f}});
  net.Output(net.Op("Relu", "r", {net.bias}));
  RunPass(net.model(), "normalize-gemm");
  EXPECT_THAT(*node->input(2)->tensor().Values<float>(), Each(6));
  EXPECT_THAT(*net.bias->tensor().Values<float>(), Each(3));
}

TEST(NormalizeGemm, WhatIsLeftAlone) {
  {
    Net plain;
    plain.Gemm({{"alpha", 1.0f}, {"transB", int64_t{0}}});
    ExpectUntouched(plain);
  }
  {
    Net computed_weight;
    computed_weight.Gemm({{"alpha", 2.0f}},
                         {computed_weight.Input("x", {4, 8}), computed_weight.Input("v", {8, 3})});
    ExpectUntouched(computed_weight);
  }
  {
    Net computed_bias;
    computed_bias.Gemm({{"beta", 2.0f}}, {computed_bias.Input("x", {4, 8}), computed_bias.weight,
                                          computed_bias.Input("c", {3})});
    ExpectUntouched(computed_bias);
  }
  {
    Net shared;
    shared.Gemm({{"alpha", 2.0f}});
    shared.Output(shared.Op("Relu", "r", {shared.weight}));
    ExpectUntouched(shared);
  }
  {
    Net infinite;
    infinite.Gemm({{"alpha", std::numeric_limits<float>::infinity()}});
    ExpectUntouched(infinite);
  }
}

}  // namespace
}  // namespace lathe::passes
