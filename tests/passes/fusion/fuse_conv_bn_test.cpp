#include "lathe/passes/fusion/fuse_conv_bn.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/support/half.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/passes/text_model.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

// A convolution of two output channels and its BatchNormalization, with values that are easy to
// follow: channel 0: gamma 2, var 4 -> r = 0.5, factor 1; channel 1: gamma 3, var 1 -> factor 3
// (epsilon 0).
struct Net : GraphBuilder {
  ir::Value* conv = nullptr;
  ir::Node* bn = nullptr;

  ir::Value* Constant(const std::string& name, std::vector<int64_t> dims,
                      std::vector<float> values) {
    return &rewriter().AddInitializer(graph(), model().Intern(name),
                                      ir::Tensor::Of(std::move(dims), values));
  }
  std::vector<ir::Value*> Parameters(ir::Value* x) {
    return {x, Constant("gamma", {2}, {2, 3}), Constant("beta", {2}, {0.5f, -1}),
            Constant("mean", {2}, {1, 2}), Constant("var", {2}, {4, 1})};
  }
  void Build(ir::Value* weight, ir::Value* bias, const std::string& op = "Conv",
             std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    std::vector<ir::Value*> inputs = {Input("x"), weight};
    if (bias != nullptr) inputs.push_back(bias);
    conv = Op(op, "conv", inputs, std::move(attributes));
    bn = Node("BatchNormalization", "bn", Parameters(conv), {{"epsilon", 0.0f}});
    Output(Op("Relu", "y", {bn->output()}));
  }
  void BuildDefault() { Build(Constant("w", {2, 1, 1, 1}, {10, 20}), Constant("b", {2}, {3, 4})); }
};

std::vector<float> Floats(const ir::Value* value) {
  return *value->ConstantTensor().ValuesAsFloat();
}

// Nothing to remark when `reason` is empty: the operators do not fit.
void ExpectRefused(Net& net, const std::string& reason) {
  const std::string before = Listing(net.graph());
  const PassReport report = RunPass(net.model(), "fuse-conv-bn");
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Listing(net.graph()), before);
  EXPECT_EQ(Statistic(report, "left"), reason.empty() ? 0 : 1);
  ASSERT_EQ(report.remarks.size(), reason.empty() ? 0u : 1u);
  for (const Remark& remark : report.remarks) {
    EXPECT_EQ(remark.message, "fold-batch-norm: " + reason);
  }
}

TEST(FuseConvBn, FoldsWeightAndBias) {
  Net net;
  net.BuildDefault();
  const PassReport report = RunPass(net.model(), "fuse-conv-bn");
  EXPECT_EQ(Statistic(report, "folded"), 1);
  EXPECT_EQ(Listing(net.graph()), "conv = Conv(x, w, b)\ny = Relu(conv)\nreturn y\n");
  EXPECT_THAT(Floats(net.conv->producer()->input(1)), ElementsAre(10, 60));
  // (3 - 1) * 0.5 * 2 + 0.5 and (4 - 2) * 1 * 3 - 1
  EXPECT_THAT(Floats(net.conv->producer()->input(2)), ElementsAre(2.5f, 5.0f));
  // The parameters are gone with it.
  EXPECT_EQ(net.graph().initializers().size(), 2u);
  EXPECT_FALSE(RunPass(net.model(), "fuse-conv-bn").changed);
}

TEST(FuseConvBn, TheGoldenExampleOfTheReference) {
  Net net;
  net.Build(net.Constant("w", {2, 2, 1, 1}, {0.5f, -1, 0.25f, 0.125f}), nullptr);
  net.rewriter().SetTensor(*net.bn->input(1), ir::Tensor::Of<float>({2}, std::vector<float>{2, 1}));
  net.rewriter().SetTensor(*net.bn->input(2),
                           ir::Tensor::Of<float>({2}, std::vector<float>{0.5f, -0.25f}));
  net.rewriter().SetTensor(*net.bn->input(3), ir::Tensor::Of<float>({2}, std::vector<float>{1, 0}));
  net.rewriter().SetTensor(*net.bn->input(4), ir::Tensor::Of<float>({2}, std::vector<float>{4, 1}));
  RunPass(net.model(), "fuse-conv-bn");
  const ir::Node& conv = *net.conv->producer();
  EXPECT_THAT(Floats(conv.input(1)), ElementsAre(0.5f, -1, 0.25f, 0.125f));
  EXPECT_THAT(Floats(conv.input(2)), ElementsAre(-0.5f, -0.25f));
  EXPECT_EQ(conv.input(2)->name_text(), "conv.bias");
}

TEST(FuseConvBn, DepthwiseAndAnyRank) {
  for (const std::vector<int64_t>& dims :
       {std::vector<int64_t>{2, 1, 3}, {2, 1, 3, 1}, {2, 1, 1, 1, 3}}) {
    Net net;
    net.Build(net.Constant("w", dims, {1, 2, 3, 4, 5, 6}), nullptr, "Conv",
              {{"group", int64_t{2}}});
    EXPECT_TRUE(RunPass(net.model(), "fuse-conv-bn").changed);
    EXPECT_THAT(Floats(net.conv->producer()->input(1)), ElementsAre(1, 2, 3, 12, 15, 18));
  }
}

TEST(FuseConvBn, TransposedOnlyOnRequest) {
  Net net;
  // [Cin, Cout, k]: channels alternate.
  net.Build(net.Constant("w", {2, 2, 1}, {1, 2, 3, 4}), nullptr, "ConvTranspose");
  ExpectRefused(net, "");
  EXPECT_TRUE(RunPass(net.model(), "fuse-conv-bn{transposed=true}").changed);
  EXPECT_THAT(Floats(net.conv->producer()->input(1)), ElementsAre(1, 6, 3, 12));
}

TEST(FuseConvBn, HalfWeightsStayHalf) {
  Net net;
  const std::vector<uint16_t> bits = {FloatToHalf(10), FloatToHalf(0.1f)};
  std::vector<std::byte> bytes(4);
  std::memcpy(bytes.data(), bits.data(), 4);
  ir::Value& weight = net.rewriter().AddInitializer(
      net.graph(), net.model().Intern("w"),
      *ir::Tensor::FromVector(ir::ElementType::kFloat16, {2, 1, 1, 1}, bytes));
  net.Build(&weight, nullptr);
  EXPECT_TRUE(RunPass(net.model(), "fuse-conv-bn").changed);
  const ir::Tensor folded = net.conv->producer()->input(1)->ConstantTensor();
  EXPECT_EQ(folded.element_type(), ir::ElementType::kFloat16);
  const float tenth = HalfToFloat(FloatToHalf(0.1f));
  EXPECT_THAT(*folded.ValuesAsFloat(), ElementsAre(10, HalfToFloat(FloatToHalf(tenth * 3))));
}

TEST(FuseConvBn, SharedWeightIsCopied) {
  Net net;
  ir::Value* weight = net.Constant("w", {2, 1, 1, 1}, {10, 20});
  net.Build(weight, nullptr);
  net.Output(net.Op("Conv", "other", {net.Input("x2"), weight}));
  EXPECT_TRUE(RunPass(net.model(), "fuse-conv-bn").changed);
  EXPECT_THAT(Floats(weight), ElementsAre(10, 20));
  EXPECT_THAT(Floats(net.conv->producer()->input(1)), ElementsAre(10, 60));
}

TEST(FuseConvBn, ParametersBehindIdentity) {
  Net net;
  net.BuildDefault();
  ir::Value* shared = net.bn->input(4);
  ir::NodeSpec spec;
  spec.op = "Identity";
  spec.name = "same_var";
  spec.inputs = {shared};
  ir::Node& identity = net.rewriter().CreateNode(net.graph(), net.graph().first_node(), spec);
  net.rewriter().SetInput(*net.bn, 4, identity.output());
  EXPECT_TRUE(RunPass(net.model(), "fuse-conv-bn").changed);
  EXPECT_EQ(Listing(net.graph()), "conv = Conv(x, w, b)\ny = Relu(conv)\nreturn y\n");
}

TEST(FuseConvBn, GraphOutputKeepsItsName) {
  Net net;
  ir::Value* conv = net.Op("Conv", "conv", {net.Input("x"), net.Init("w", {2, 2, 1, 1})});
  net.Output(net.Op("BatchNormalization", "y", net.Parameters(conv)));
  EXPECT_TRUE(RunPass(net.model(), "fuse-conv-bn").changed);
  EXPECT_EQ(Listing(net.graph()), "y = Conv(x, w, conv.bias)\nreturn y\n");
}

TEST(FuseConvBn, OriginsOfBothStay) {
  Net net;
  net.BuildDefault();
  RunPass(net.model(), "fuse-conv-bn");
  std::vector<std::string> names;
  for (const ir::Name name : net.model().OriginNames(net.conv->producer()->origin())) {
    names.emplace_back(net.model().Text(name));
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("conv", "bn"));
}

TEST(FuseConvBn, RefusesOtherProducers) {
  Net net;
  ir::Value* relu = net.Op("Relu", "r", {net.Input("x")});
  net.Output(net.Op("BatchNormalization", "y", net.Parameters(relu)));
  ExpectRefused(net, "");
}

TEST(FuseConvBn, RefusesAGraphInput) {
  Net net;
  net.Output(net.Op("BatchNormalization", "y", net.Parameters(net.Input("x"))));
  ExpectRefused(net, "");
}

TEST(FuseConvBn, RefusesAConvThatOthersUse) {
  Net net;
  net.BuildDefault();
  net.Output(net.conv);
  ExpectRefused(net, "node 'conv': condition 'has no other consumer' does not hold");
}

TEST(FuseConvBn, RefusesTraining) {
  Net net;
  net.BuildDefault();
  net.rewriter().SetAttribute(*net.bn, "training_mode", int64_t{1});
  ExpectRefused(net, "node 'bn': condition 'it is in inference form' does not hold");
}

TEST(FuseConvBn, RefusesSkipped) {
  Net net;
  net.BuildDefault();
  const PassReport report = RunPass(net.model(), "fuse-conv-bn{skip=[conv]}");
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(report.remarks.at(0).message,
            "fold-batch-norm: node 'conv': condition 'it is not listed in skip' does not hold");
}

TEST(FuseConvBn, RefusesALocalFunction) {
  const auto model = ParseText(R"( (%x: f32[1, 1, 2]) {
    %y = own::block(%x)
    return %y
  }
  function own::block (%a: ?) {
    import "" 17
    %w = Constant() { value = tensor f32[1, 1, 1] {2.0} }
    %p = Constant() { value = tensor f32[1] {1.0} }
    %c = Conv(%a, %w)
    %n = BatchNormalization(%c, %p, %p, %p, %p)
    return %n
  })");
  const PassReport report = RunPass(*model, "fuse-conv-bn");
  EXPECT_FALSE(report.changed);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_THAT(report.remarks[0].message,
              ::testing::HasSubstr("condition 'it is in no local function' does not hold"));
}

TEST(FuseConvBn, RefusesComputedParameters) {
  Net net;
  net.BuildDefault();
  net.rewriter().SetInput(*net.bn, 3, net.Input("m", {2}));
  ExpectRefused(net,
                "node 'bn': operand 3: condition 'it is a constant of real numbers' does not hold");
}

TEST(FuseConvBn, RefusesAComputedWeight) {
  Net net;
  net.Build(net.Input("w", {2, 1, 1, 1}), nullptr);
  ExpectRefused(
      net,
      "node 'conv': operand 1: condition 'it is a constant of float32 or float16' does not hold");
}

TEST(FuseConvBn, RefusesParametersOfAnotherLength) {
  Net net;
  net.Build(net.Constant("w", {3, 1, 1, 1}, {1, 2, 3}), nullptr);
  ExpectRefused(net,
                "node 'bn': condition 'all have as many channels as the weight' does not hold");
}

TEST(FuseConvBn, RefusesWhatWouldNotBeFinite) {
  Net net;
  net.BuildDefault();
  net.rewriter().SetTensor(
      *net.bn->input(1),
      ir::Tensor::Of<float>({2}, std::vector<float>{2, std::numeric_limits<float>::max()}));
  net.rewriter().SetTensor(*net.bn->input(4),
                           ir::Tensor::Of<float>({2}, std::vector<float>{4, 1e-30f}));
  ExpectRefused(net, "node 'bn': condition 'what is folded is finite' does not hold");
}

}  // namespace
}  // namespace lathe::passes
