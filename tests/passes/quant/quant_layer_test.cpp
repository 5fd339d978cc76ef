#include "lathe/passes/quant/quant_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

// "name: type" of each layer, "name: type: reason" of the others that have a layer's type.
std::vector<std::string> Scan(GraphBuilder& net) {
  const LayerScan scan = ScanLayers(net.model());
  std::vector<std::string> lines;
  for (const QuantLayer& layer : scan.layers) {
    lines.push_back(fmt::format("{}: {}", layer.name, ToString(layer.type)));
  }
  for (const quant::OtherNode& other : scan.others) {
    lines.push_back(fmt::format("{}: {}: {}", other.name, other.type, other.reason));
  }
  return lines;
}

using ::testing::ElementsAre;

TEST(QuantLayer, Convolutions) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  net.Output(net.Op("Conv", "c1", {x, net.Init("w1", {4, 2, 3})}));
  net.Output(net.Op("Conv", "c2", {x, net.Init("w2", {4, 2, 3, 3}), net.Init("b2", {4})}));
  net.Output(net.Op("Conv", "c3", {x, net.Init("w3", {4, 2, 3, 3, 3})}));
  net.Output(net.Op("ConvTranspose", "t1", {x, net.Init("v1", {2, 4, 3})}));
  net.Output(net.Op("ConvTranspose", "t2", {x, net.Init("v2", {2, 4, 3, 3})}));
  EXPECT_THAT(Scan(net), ElementsAre("c1: Conv1d", "c2: Conv2d", "c3: Conv3d",
                                     "t1: ConvTranspose1d", "t2: ConvTranspose2d"));
}

TEST(QuantLayer, ChannelsOfAGroupedConvTranspose) {
  GraphBuilder net;
  ir::Node* node = net.Node("ConvTranspose", "t", {net.Input("x"), net.Init("w", {6, 4, 3, 3})},
                            {{"group", int64_t{3}}});
  const auto inspected = InspectLayer(*node);
  const auto& layer = std::get<QuantLayer>(inspected);
  EXPECT_EQ(layer.channels, 12);
  EXPECT_EQ(layer.cin, 6);
  const quant::WeightLayout layout = layer.Layout(*layer.weight, 12);
  EXPECT_EQ(layout.channels(), 12);
  EXPECT_EQ(layout.size(), 6 * 4 * 9);
}

TEST(QuantLayer, ConvolutionsThatAreNone) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  net.Output(net.Op("Conv", "computed", {x, net.Input("w")}));
  net.Output(net.Op("Conv", "bias", {x, net.Init("w1", {4, 2, 3, 3}), net.Input("b")}));
  net.Output(net.Op("Conv", "dilated", {x, net.Init("w2", {4, 2, 3, 3, 3})},
                    {{"dilations", std::vector<int64_t>{2, 1, 1}}}));
  net.Output(net.Op("ConvTranspose", "t3", {x, net.Init("w3", {2, 4, 3, 3, 3})}));
  EXPECT_THAT(Scan(net), ElementsAre("computed: Conv: its weight is computed",
                                     "bias: Conv2d: its bias is computed",
                                     "dilated: Conv3d: it is dilated along its first axis",
                                     "t3: ConvTranspose: its weight has 5 dimensions"));
}

TEST(QuantLayer, Linear) {
  GraphBuilder net;
  ir::Value* x = net.Input("x", {4, 8});
  net.Output(net.Op("Gemm", "g", {x, net.Init("w1", {3, 8}), net.Init("b1", {3})},
                    {{"transB", int64_t{1}}}));
  net.Output(net.Op("Gemm", "ta", {x, net.Init("w2", {8, 3})}, {{"transA", int64_t{1}}}));
  net.Output(net.Op("Gemm", "alpha", {x, net.Init("w3", {8, 3})}, {{"alpha", 0.5f}}));
  net.Output(net.Op("MatMul", "m", {x, net.Init("w4", {8, 3})}));
  net.Output(net.Op("MatMul", "m3", {x, net.Init("w5", {2, 8, 3})}));
  net.Output(net.Op("MatMul", "m1", {x, net.Init("w6", {8})}));
  net.Output(net.Op("MatMul", "mm", {x, x}));
  EXPECT_THAT(Scan(net), ElementsAre("g: Linear", "m: Linear", "m3: Linear",
                                     "ta: Linear: its input is transposed (transA)",
                                     "alpha: Linear: its alpha is not 1",
                                     "m1: Linear: its weight is not a matrix",
                                     "mm: Linear: its second input is computed"));
}

TEST(QuantLayer, MatMulBiasOnlyOnTheSecondOperandOfItsOnlyUser) {
  for (const bool first : {false, true}) {
    GraphBuilder net;
    ir::Node* matmul = net.Node("MatMul", "m", {net.Input("x", {4, 8}), net.Init("w", {8, 3})});
    ir::Value* bias = net.Init("b", {3});
    net.Output(first ? net.Op("Add", "a", {bias, matmul->output()})
                     : net.Op("Add", "a", {matmul->output(), bias}));
    const auto inspected = InspectLayer(*matmul);
    const auto& layer = std::get<QuantLayer>(inspected);
    EXPECT_EQ(layer.bias != nullptr, !first);
    EXPECT_EQ(layer.result()->name_text(), first ? "m" : "a");
  }
}

TEST(QuantLayer, AveragePoolAndItsPad) {
  GraphBuilder net;
  const std::vector<int64_t> kernel = {2, 2};
  ir::Value* padded = net.Op("Pad", "p_pad", {net.Input("x"), net.Init("pads", {8}, 0)});
  ir::Node* pool = net.Node("AveragePool", "p", {padded}, {{"kernel_shape", kernel}});
  net.Output(pool->output());
  net.Output(net.Op("GlobalAveragePool", "global", {net.Input("y")}));
  EXPECT_THAT(Scan(net),
              ElementsAre("p: AvgPool2d", "p_pad: Pad: Pad is never quantised",
                          "global: GlobalAveragePool: GlobalAveragePool is never quantised"));
  const auto inspected = InspectLayer(*pool);
  EXPECT_EQ(std::get<QuantLayer>(inspected).activation->user()->op_text(), "Pad");
}

TEST(QuantLayer, SharedWeightsExcludeBoth) {
  GraphBuilder net;
  ir::Value* weight = net.Init("w", {2, 2, 1, 1});
  ir::Value* same = net.Op("Identity", "same", {weight});
  net.Output(net.Op("Conv", "a", {net.Input("x"), weight}));
  net.Output(net.Op("Conv", "b", {net.Input("y"), same}));
  EXPECT_THAT(Scan(net), ElementsAre("same: Identity: Identity is never quantised",
                                     "a: Conv2d: another layer uses the same weight",
                                     "b: Conv2d: another layer uses the same weight"));
}

TEST(QuantLayer, UnnamedNodesAreCalledByOrigin) {
  GraphBuilder net;
  ir::Node* node = net.Node("Conv", "c", {net.Input("x"), net.Init("w", {2, 2, 1, 1})});
  net.rewriter().Rename(*node, ir::Name{});
  net.rewriter().SetOrigin(*node, net.model().OriginOf(net.model().Intern("node_7")));
  EXPECT_EQ(LayerName(*node), "node_7");
}

}  // namespace
}  // namespace lathe::passes
