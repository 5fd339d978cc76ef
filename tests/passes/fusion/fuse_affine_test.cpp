// fuse-affine-after and fuse-affine-before.
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/support/half.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;
using Attributes = std::vector<std::pair<std::string, ir::PlainAttribute>>;

struct Net : GraphBuilder {
  ir::Value* Constant(const std::string& name, std::vector<int64_t> dims,
                      std::vector<float> values) {
    return &rewriter().AddInitializer(graph(), model().Intern(name),
                                      ir::Tensor::Of(std::move(dims), values));
  }
  // A 1x1 convolution of one channel to two, with bias.
  ir::Value* Conv(ir::Value* x, const Attributes& attributes = {}) {
    return Op("Conv", "conv",
              {x, Constant("w", {2, 1, 1, 1}, {10, 20}), Constant("b", {2}, {3, 4})}, attributes);
  }
  ir::Value* Image(const std::vector<int64_t>& extents = {1, 1, 4, 4}) {
    return Input("x", extents);
  }
  const ir::Node& Layer(std::string_view op) {
    for (const ir::Node& node : graph().nodes()) {
      if (node.Is(op)) return node;
    }
    return *graph().first_node();
  }
};

std::vector<float> Floats(const ir::Value* value) {
  return *value->ConstantTensor().ValuesAsFloat();
}

void ExpectFolded(Net& net, const std::string& pass, int64_t count, const std::string& listing) {
  RunPass(net.model(), "infer-shapes");
  const PassReport report = RunPass(net.model(), pass);
  EXPECT_EQ(Statistic(report, "folded"), count);
  EXPECT_EQ(Listing(net.graph()), listing);
  EXPECT_FALSE(RunPass(net.model(), pass).changed);
}

void ExpectRefused(Net& net, const std::string& pass, const std::string& message) {
  const std::string before = Listing(net.graph());
  const PassReport report = RunPass(net.model(), pass);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(net.graph()), before);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, message);
}

TEST(FuseAffineAfter, AChainAtOnce) {
  Net net;
  ir::Value* a = net.Op("Mul", "a", {net.Conv(net.Image()), net.Constant("s", {2, 1, 1}, {2, 3})});
  ir::Value* b = net.Op("Sub", "b", {net.Constant("one", {}, {1}), a});
  ir::Value* c = net.Op("Div", "c", {b, net.Constant("half", {1}, {0.5f})});
  net.Output(net.Op("Add", "y", {net.Constant("t", {1, 2, 1, 1}, {7, 8}), c}));
  ExpectFolded(net, "fuse-affine-after", 4, "y = Conv(x, w, b)\nreturn y\n");
  // y = (1 - 2 conv) / 0.5 + 7 and (1 - 3 conv) / 0.5 + 8.
  const ir::Node& conv = net.Layer("Conv");
  EXPECT_THAT(Floats(conv.input(1)), ElementsAre(-40, -120));
  EXPECT_THAT(Floats(conv.input(2)), ElementsAre(2 - 12 + 7, 2 - 24 + 8));
  EXPECT_EQ(net.graph().initializers().size(), 2u);
  EXPECT_EQ(conv.name_text(), "conv");
  EXPECT_EQ(net.model().OriginNames(conv.origin()).size(), 5u);
}

TEST(FuseAffineAfter, MakesABiasOnlyForWhatIsAdded) {
  Net net;
  ir::Value* conv =
      net.Op("Conv", "conv", {net.Image(), net.Constant("w", {2, 1, 1, 1}, {10, 20})});
  net.Output(net.Op("Mul", "y", {conv, net.Constant("s", {}, {2})}));
  ExpectFolded(net, "fuse-affine-after", 1, "y = Conv(x, w)\nreturn y\n");

  Net added;
  conv = added.Op("Conv", "conv", {added.Image(), added.Constant("w", {2, 1, 1, 1}, {10, 20})});
  added.Output(added.Op("Add", "y", {conv, added.Constant("t", {2, 1, 1}, {1, 2})}));
  ExpectFolded(added, "fuse-affine-after", 1, "y = Conv(x, w, conv.bias)\nreturn y\n");
  EXPECT_THAT(Floats(added.Layer("Conv").input(2)), ElementsAre(1, 2));
}

TEST(FuseAffineAfter, ChannelsOfATransposedConvolutionWithGroups) {
  Net net;
  // [Cin 2, Cout/g 2, 1], two groups: four channels out.
  ir::Value* conv = net.Op("ConvTranspose", "conv",
                           {net.Input("x", {1, 2, 5}), net.Constant("w", {2, 2, 1}, {1, 2, 3, 4})},
                           {{"group", int64_t{2}}});
  net.Output(net.Op("Mul", "y", {conv, net.Constant("s", {4, 1}, {2, 3, 5, 7})}));
  ExpectFolded(net, "fuse-affine-after", 1, "y = ConvTranspose(x, w)\nreturn y\n");
  EXPECT_THAT(Floats(net.Layer("ConvTranspose").input(1)), ElementsAre(2, 6, 15, 28));
}

TEST(FuseAffineAfter, GemmsBetaGoesIntoItsBias) {
  Net net;
  ir::Value* gemm = net.Op("Gemm", "gemm",
                           {net.Input("x", {3, 2}), net.Constant("w", {2, 2}, {1, 2, 3, 4}),
                            net.Constant("c", {1}, {5})},
                           {{"beta", 2.0f}, {"alpha", 0.5f}});
  net.Output(net.Op("Mul", "y", {gemm, net.Constant("s", {2}, {10, 100})}));
  ExpectFolded(net, "fuse-affine-after", 1, "y = Gemm(x, w, c)\nreturn y\n");
  const ir::Node& node = net.Layer("Gemm");
  EXPECT_THAT(Floats(node.input(1)), ElementsAre(10, 200, 30, 400));
  EXPECT_THAT(Floats(node.input(2)), ElementsAre(100, 1000));
  EXPECT_EQ(node.FindAttribute("beta"), nullptr);
  EXPECT_EQ(node.FloatAttribute("alpha", 1), 0.5f);
}

TEST(FuseAffineAfter, MatMulTakesAScaleAndNoBias) {
  Net net;
  ir::Value* product = net.Op("MatMul", "product",
                              {net.Input("x", {5, 3, 2}), net.Constant("w", {2, 2}, {1, 2, 3, 4})});
  ir::Value* a = net.Op("Mul", "a", {product, net.Constant("s", {2}, {10, 100})});
  net.Output(net.Op("Add", "y", {a, net.Constant("t", {2}, {1, 2})}));
  ExpectFolded(net, "fuse-affine-after", 1,
               "product = MatMul(x, w)\ny = Add(product, t)\nreturn y\n");
  EXPECT_THAT(Floats(net.Layer("MatMul").input(1)), ElementsAre(10, 200, 30, 400));
  ExpectRefused(net, "fuse-affine-after", "not folded into 'product': MatMul has no bias");
}

TEST(FuseAffineAfter, HalfStaysHalf) {
  Net net;
  const auto half = [&](const std::string& name, std::vector<int64_t> dims, float value) {
    const uint16_t bits = FloatToHalf(value);
    std::vector<std::byte> bytes = {static_cast<std::byte>(bits & 0xff),
                                    static_cast<std::byte>(bits >> 8)};
    return &net.rewriter().AddInitializer(
        net.graph(), net.model().Intern(name),
        *ir::Tensor::FromVector(ir::ElementType::kFloat16, std::move(dims), bytes));
  };
  ir::Value* conv = net.Op("Conv", "conv", {net.Image(), half("w", {1, 1, 1, 1}, 0.1f)});
  net.Output(net.Op("Mul", "y", {conv, half("s", {}, 3)}));
  ExpectFolded(net, "fuse-affine-after", 1, "y = Conv(x, w)\nreturn y\n");
  const ir::Tensor weight = net.Layer("Conv").input(1)->ConstantTensor();
  EXPECT_EQ(weight.element_type(), ir::ElementType::kFloat16);
  const float tenth = HalfToFloat(FloatToHalf(0.1f));
  EXPECT_THAT(*weight.ValuesAsFloat(), ElementsAre(HalfToFloat(FloatToHalf(tenth * 3))));

  Net large;
  conv = large.Op("Conv", "conv", {large.Image(), large.Constant("w", {1, 1, 1, 1}, {1e30f})});
  large.Output(large.Op("Mul", "y", {conv, large.Constant("s", {}, {1e30f})}));
  ExpectRefused(large, "fuse-affine-after",
                "not folded into 'conv': its weight or bias would not be finite");
}

TEST(FuseAffineAfter, ASharedWeightIsCopied) {
  Net net;
  ir::Value* weight = net.Constant("w", {2, 1, 1, 1}, {10, 20});
  ir::Value* conv = net.Op("Conv", "conv", {net.Image(), weight});
  net.Output(net.Op("Mul", "y", {conv, net.Constant("s", {}, {2})}));
  net.Output(net.Op("Conv", "z", {net.Input("x2"), weight}));
  RunPass(net.model(), "fuse-affine-after");
  EXPECT_THAT(Floats(weight), ElementsAre(10, 20));
  EXPECT_THAT(Floats(net.Layer("Conv").input(1)), ElementsAre(20, 40));
}

TEST(FuseAffineAfter, AGraphOutputKeepsItsType) {
  Net net;
  ir::Value* y = net.Op("Mul", "y", {net.Conv(net.Image()), net.Constant("s", {}, {2})});
  const ir::Type* type = net.model().Intern(
      ir::Type::Tensor(ir::ElementType::kFloat32, ir::Shape{ir::Dim::Symbol("batch"), {}, {}, {}}));
  net.rewriter().SetType(*y, type);
  net.Output(y);
  // Without infer-shapes, which would make more of the type.
  EXPECT_EQ(Statistic(RunPass(net.model(), "fuse-affine-after"), "folded"), 1);
  EXPECT_EQ(Listing(net.graph()), "y = Conv(x, w, b)\nreturn y\n");
  EXPECT_EQ(net.graph().outputs()[0].value()->type_ref(), type);
}

TEST(FuseAffineAfter, Refuses) {
  struct Case {
    std::string op;
    bool reverse;
    std::vector<int64_t> dims;
    std::string reason;
  };
  for (const Case& c : {
           Case{"Mul", false, {2}, "its constant is not one value a channel"},
           Case{"Mul", false, {1, 1, 4}, "its constant is not one value a channel"},
           Case{"Mul", false, {2, 2, 1, 1}, "its constant is not one value a channel"},
           Case{"Mul", false, {1, 1, 2, 1, 1}, "its constant may have more axes"},
           Case{"Div", true, {}, "it divides by the value"},
       }) {
    Net net;
    ir::Value* conv = net.Conv(net.Image());
    ir::Value* constant = net.Init("k", c.dims, 2);
    net.Output(net.Op(c.op, "y",
                      c.reverse ? std::vector<ir::Value*>{constant, conv}
                                : std::vector<ir::Value*>{conv, constant}));
    ExpectRefused(net, "fuse-affine-after", "not folded into 'conv': " + c.reason);
  }
  Net computed;
  ir::Value* conv =
      computed.Op("Conv", "conv", {computed.Image(), computed.Input("w", {2, 1, 1, 1})});
  computed.Output(computed.Op("Mul", "y", {conv, computed.Init("k", {}, 2)}));
  ExpectRefused(computed, "fuse-affine-after", "not folded into 'conv': its weight is computed");

  Net bias;
  conv =
      bias.Op("Conv", "conv", {bias.Image(), bias.Init("w", {2, 1, 1, 1}), bias.Input("b", {2})});
  bias.Output(bias.Op("Mul", "y", {conv, bias.Init("k", {}, 2)}));
  ExpectRefused(bias, "fuse-affine-after", "not folded into 'conv': its bias is computed");
}

TEST(FuseAffineAfter, LeavesWhatOthersRead) {
  Net net;
  ir::Value* conv = net.Conv(net.Image());
  net.Output(net.Op("Mul", "y", {conv, net.Init("k", {}, 2)}));
  net.Output(net.Op("Relu", "z", {conv}));
  EXPECT_FALSE(RunPass(net.model(), "fuse-affine-after").changed);
}

TEST(FuseAffineBefore, NormalisationOfAnImage) {
  Net net;
  ir::Value* a =
      net.Op("Sub", "a", {net.Image({1, 2, 4, 4}), net.Constant("m", {2, 1, 1}, {4, 6})});
  ir::Value* b = net.Op("Div", "b", {a, net.Constant("d", {1, 2, 1, 1}, {2, 4})});
  net.Output(net.Op("Conv", "y", {b, net.Constant("w", {1, 2, 1, 2}, {2, 4, 8, 16})}));
  ExpectFolded(net, "fuse-affine-before", 2, "y = Conv(x, w, y.bias)\nreturn y\n");
  EXPECT_THAT(Floats(net.Layer("Conv").input(1)), ElementsAre(1, 2, 2, 4));
  EXPECT_THAT(Floats(net.Layer("Conv").input(2)), ElementsAre(-4 - 8 - 12 - 24));
  EXPECT_EQ(net.graph().initializers().size(), 2u);
}

TEST(FuseAffineBefore, APaddedConvolutionTakesTheScaleOnly) {
  Net net;
  ir::Value* a = net.Op("Add", "a", {net.Image(), net.Init("t", {}, 3)});
  ir::Value* m = net.Op("Mul", "m", {a, net.Init("s", {}, 2)});
  net.Output(net.Conv(m, {{"pads", std::vector<int64_t>{0, 0, 0, 1}}}));
  ExpectFolded(net, "fuse-affine-before", 1, "a = Add(x, t)\nconv = Conv(a, w, b)\nreturn conv\n");
  EXPECT_THAT(Floats(net.Layer("Conv").input(1)), ElementsAre(20, 40));
  ExpectRefused(net, "fuse-affine-before", "not folded into 'conv': the convolution pads");
}

TEST(FuseAffineBefore, SamePaddingIsPadding) {
  Net net;
  ir::Value* a = net.Op("Add", "a", {net.Image(), net.Init("t", {}, 3)});
  net.Output(net.Conv(a, {{"auto_pad", std::string("SAME_UPPER")}}));
  ExpectRefused(net, "fuse-affine-before", "not folded into 'conv': the convolution pads");
}

TEST(FuseAffineBefore, Groups) {
  Net net;
  ir::Value* a =
      net.Op("Mul", "a", {net.Image({1, 4, 4, 4}), net.Constant("s", {4, 1, 1}, {2, 3, 5, 7})});
  net.Output(net.Op("Conv", "y", {a, net.Constant("w", {2, 2, 1, 1}, {1, 10, 100, 1000})},
                    {{"group", int64_t{2}}}));
  ExpectFolded(net, "fuse-affine-before", 1, "y = Conv(x, w)\nreturn y\n");
  EXPECT_THAT(Floats(net.Layer("Conv").input(1)), ElementsAre(2, 30, 500, 7000));
}

TEST(FuseAffineBefore, GemmWithAlpha) {
  Net net;
  ir::Value* a = net.Op("Add", "a", {net.Input("x", {3, 2}), net.Constant("t", {2}, {1, 2})});
  net.Output(net.Op("Gemm", "y",
                    {a, net.Constant("w", {2, 2}, {1, 2, 3, 4}), net.Constant("c", {2}, {5, 6})},
                    {{"alpha", 2.0f}, {"transB", int64_t{1}}}));
  ExpectFolded(net, "fuse-affine-before", 1, "y = Gemm(x, w, c)\nreturn y\n");
  EXPECT_THAT(Floats(net.Layer("Gemm").input(2)), ElementsAre(5 + 2 * 5, 6 + 2 * 11));
}

TEST(FuseAffineBefore, RefusesWhatBroadcasts) {
  Net net;
  // One channel becomes two.
  ir::Value* a = net.Op("Mul", "a", {net.Image(), net.Constant("s", {2, 1, 1}, {2, 3})});
  net.Output(net.Op("Conv", "y", {a, net.Init("w", {1, 2, 1, 1})}));
  ExpectRefused(net, "fuse-affine-before",
                "not folded into 'y': the shape of its operand is not known to be that of its "
                "result");
}

TEST(FuseAffineBefore, RefusesATransposedOperand) {
  Net net;
  ir::Value* a = net.Op("Mul", "a", {net.Input("x", {2, 3}), net.Init("s", {}, 2)});
  net.Output(net.Op("Gemm", "y", {a, net.Init("w", {2, 2}), net.Init("c", {2})},
                    {{"transA", int64_t{1}}}));
  ExpectRefused(net, "fuse-affine-before", "not folded into 'y': it transposes its first operand");
}

}  // namespace
}  // namespace lathe::passes
