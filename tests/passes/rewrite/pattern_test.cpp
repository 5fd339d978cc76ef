#include "lathe/passes/rewrite/pattern.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

constexpr NodeHandle kBatchNorm{"bn"}, kConv{"conv"};
constexpr ValueHandle kInput{"input"}, kWeight{"weight"}, kBias{"bias"}, kScale{"scale"};

bool IsInference(const ir::Node& node) { return node.IntAttribute("training_mode", 0) == 0; }
bool IsFloat(const ir::Value& value) {
  return value.ConstantTensor().element_type() == ir::ElementType::kFloat32;
}

Pattern ConvBn() {
  return Op("BatchNormalization", {Op({"Conv", "ConvTranspose"},
                                      {Any(kInput), Constant(kWeight).Where("is float32", IsFloat),
                                       Optional(Constant(kBias))})
                                       .Bind(kConv)
                                       .OnlyConsumerIsMatch(),
                                   Constant(kScale), Constant(), Constant(), Constant()})
      .Bind(kBatchNorm)
      .Where("is in inference form", IsInference)
      .WhereMatch("has a scale for each channel", [](const Match& match) {
        return match.Constant(kScale).dims()[0] == match.Constant(kWeight).dims()[0];
      });
}

struct Net : GraphBuilder {
  explicit Net(bool with_bias = false,
               std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    std::vector<ir::Value*> operands = {x, w};
    if (with_bias) operands.push_back(Init("b", {2}));
    conv = Node("Conv", "conv", operands);
    bn = Node("BatchNormalization", "bn", {conv->output(), s, s, s, s}, std::move(attributes));
    Output(bn->output());
  }
  ir::Value* x = Input("x");
  ir::Value* w = Init("w", {2, 2, 1, 1});
  ir::Value* s = Init("s", {2});
  ir::Node* conv;
  ir::Node* bn;
};

std::string RefusalOf(const Pattern& pattern, ir::Node& root, bool by_condition,
                      size_t matched_nodes) {
  Refusal refusal;
  if (FindMatch(pattern, root, &refusal)) return "matched";
  EXPECT_EQ(refusal.by_condition, by_condition);
  EXPECT_EQ(refusal.matched_nodes, matched_nodes);
  return refusal.ToText();
}

TEST(Pattern, BindsWhatItMatches) {
  Net net(/*with_bias=*/true);
  const std::optional<Match> match = FindMatch(ConvBn(), *net.bn);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kConv], net.conv);
  EXPECT_EQ(&(*match)[kBatchNorm], net.bn);
  EXPECT_EQ(&match->root(), net.bn);
  EXPECT_EQ(match->nodes(), (std::vector<ir::Node*>{net.conv, net.bn}));
  EXPECT_EQ(&(*match)[kInput], net.x);
  EXPECT_EQ(&(*match)[kWeight], net.w);
  EXPECT_EQ(match->Find(kBias)->name_text(), "b");
  EXPECT_EQ(match->Constant(kBias).num_elements(), 2);
  EXPECT_EQ(ConvBn().depth(), 2);
}

TEST(Pattern, OptionalOperandsMayBeOmitted) {
  Net net;
  std::optional<Match> match = FindMatch(ConvBn(), *net.bn);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->Find(kBias), nullptr);
  EXPECT_FALSE(match->Constant(kBias));
  net.rewriter().AddInput(*net.conv, nullptr);
  EXPECT_TRUE(FindMatch(ConvBn(), *net.bn));
}

TEST(Pattern, ConstantsAreSeenThroughIdentityAndCaptures) {
  Net net;
  ir::Node& identity = net.rewriter().CreateNode(
      net.graph(), net.conv,
      {.op = "Identity", .domain = "", .name = "same", .inputs = {net.w}, .attributes = {}});
  net.rewriter().SetInput(*net.conv, 1, identity.output());
  std::optional<Match> match = FindMatch(ConvBn(), *net.bn);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kWeight], identity.output());
  EXPECT_TRUE(match->Constant(kWeight).SharesStorageWith(net.w->tensor()));

  ir::Node* branch = net.Node("If", "if", {net.Input("cond", {})});
  ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  ir::Node* inner = net.Node(
      body, "Conv", "inner",
      {&net.rewriter().Capture(body, *net.x), &net.rewriter().Capture(body, *identity.output())});
  EXPECT_TRUE(FindMatch(Op("Conv", {Any(), Constant()}), *inner));
  EXPECT_FALSE(FindMatch(Op("Conv", {Constant(), Any()}), *inner));
}

TEST(Pattern, RefusesAnotherOperator) {
  Net net;
  EXPECT_EQ(RefusalOf(ConvBn(), *net.conv, false, 0),
            "node 'conv': Conv is not BatchNormalization");
  net.rewriter().SetOperator(*net.conv, "MatMul", "");
  EXPECT_EQ(RefusalOf(ConvBn(), *net.bn, false, 0),
            "node 'conv': MatMul is not Conv or ConvTranspose");
  net.rewriter().SetInput(*net.bn, 0, net.x);
  EXPECT_EQ(RefusalOf(ConvBn(), *net.bn, false, 0),
            "node 'bn': operand 0 is not the result of Conv or ConvTranspose");
}

TEST(Pattern, RefusesAnotherDomain) {
  Net net;
  EXPECT_TRUE(FindMatch(Op("Conv"), *net.conv));
  EXPECT_FALSE(FindMatch(Op("Conv").InDomain("vendor"), *net.conv));
  net.rewriter().SetOperator(*net.conv, "Conv", "ai.onnx");
  EXPECT_TRUE(FindMatch(Op("Conv"), *net.conv));
  net.rewriter().SetOperator(*net.conv, "Conv", "vendor");
  EXPECT_FALSE(FindMatch(Op("Conv"), *net.conv));
  EXPECT_TRUE(FindMatch(Op("Conv").InDomain("vendor"), *net.conv));
}

TEST(Pattern, RefusesOtherOperands) {
  Net net(/*with_bias=*/true);
  EXPECT_EQ(RefusalOf(Op("Conv", {Any(), Any()}), *net.conv, false, 0),
            "node 'conv': has an operand 2, the pattern only 2");
  EXPECT_EQ(RefusalOf(Op("Conv", {Any(), Any(), Any(), Any()}), *net.conv, false, 0),
            "node 'conv': operand 3 is omitted");
  net.rewriter().SetInput(*net.conv, 2, net.x);
  EXPECT_EQ(RefusalOf(ConvBn(), *net.bn, false, 0), "node 'conv': operand 2 is not constant");
}

TEST(Pattern, ConditionsAreNamedWhenTheyRefuse) {
  Net training(/*with_bias=*/false, {{"training_mode", int64_t{1}}});
  EXPECT_EQ(RefusalOf(ConvBn(), *training.bn, true, 1),
            "node 'bn': condition 'is in inference form' does not hold");
  Net shared;
  shared.Output(shared.conv->output());
  EXPECT_EQ(RefusalOf(ConvBn(), *shared.bn, true, 1),
            "node 'conv': condition 'has no other consumer' does not hold");
  Net integer;
  integer.rewriter().SetTensor(*integer.w,
                               ir::Tensor::Of({2, 2, 1, 1}, std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(RefusalOf(ConvBn(), *integer.bn, true, 0),
            "node 'conv': operand 1: condition 'is float32' does not hold");
  Net odd;
  odd.rewriter().SetTensor(*odd.s, ir::Tensor::Of({3}, std::vector<float>{1, 2, 3}));
  EXPECT_EQ(RefusalOf(ConvBn(), *odd.bn, true, 2),
            "node 'bn': condition 'has a scale for each channel' does not hold");
}

TEST(Pattern, AUsedSecondResultIsAnotherConsumer) {
  GraphBuilder net;
  ir::Node* pool = net.Node("MaxPool", "p", {net.Input("x")}, {}, 2);
  ir::Node* relu = net.Node("Relu", "r", {pool->output()});
  const Pattern pattern = Op("Relu", {Op("MaxPool").OnlyConsumerIsMatch()});
  EXPECT_TRUE(FindMatch(pattern, *relu));
  net.Output(pool->output(1));
  EXPECT_FALSE(FindMatch(pattern, *relu));
  // A producer stands for its first result only.
  ir::Node* other = net.Node("Relu", "r2", {pool->output(1)});
  EXPECT_FALSE(FindMatch(Op("Relu", {Op("MaxPool")}), *other));
}

TEST(Pattern, AHandleMeansOneThing) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* y = net.Input("y");
  const Pattern square = Op("Mul", {Any(kInput), Any(kInput)});
  EXPECT_TRUE(FindMatch(square, *net.Node("Mul", "xx", {x, x})));
  EXPECT_EQ(RefusalOf(square, *net.Node("Mul", "xy", {x, y}), false, 0),
            "node 'xy': operand 1 is not the other input");
}

}  // namespace
}  // namespace lathe::passes
