#include "lathe/passes/canonical/fold_weights.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "lathe/passes/core/fact_table.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using Names = std::vector<std::string>;

PassReport Fold(GraphBuilder& net) { return RunPass(net.model(), "fold-weights"); }

void ExpectUnchanged(GraphBuilder& net) {
  const std::string before = Listing(net.graph());
  const Names constants = InitializerNames(net.graph());
  EXPECT_FALSE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()), before);
  EXPECT_EQ(InitializerNames(net.graph()), constants);
}

ir::Value* Ints(GraphBuilder& net, const std::string& name, const std::vector<int64_t>& values) {
  return &net.rewriter().AddInitializer(
      net.graph(), net.model().Intern(name),
      ir::Tensor::Of({static_cast<int64_t>(values.size())}, values));
}

TEST(FoldWeights, ComputationBecomesAConstantOfItsName) {
  GraphBuilder net;
  ir::Value* w = &net.rewriter().AddInitializer(net.graph(), net.model().Intern("w"),
                                                ir::Tensor::Of({1, 2}, std::vector<int8_t>{3, 4}));
  ir::Value* scaled =
      net.Op("Mul", "scaled",
             {net.Op("Cast", "float_w", {w}, {{"to", int64_t{1}}}), net.Init("factor", {}, 2)});
  ir::Value* t = net.Op("Transpose", "t", {scaled});
  net.Output(net.Op("MatMul", "y", {net.Input("x", {1, 2}), t}));
  const PassReport report = Fold(net);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "folded"), 1);
  EXPECT_EQ(Listing(net.graph()), "y = MatMul(x, t)\nreturn y\n");
  EXPECT_EQ(InitializerNames(net.graph()), Names{"t"});
  const ir::Tensor& tensor = net.graph().initializers()[0]->tensor();
  EXPECT_EQ(tensor.dims()[0], 2);
  EXPECT_EQ(*tensor.Values<float>(), (std::vector<float>{6, 8}));
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, "'t' is a constant now, computed by 3 nodes before");
  EXPECT_TRUE(FactHolds(net.model(), facts::kWeightsFolded));
  ExpectUnchanged(net);
}

TEST(FoldWeights, EveryKindOfLayerAndOperand) {
  const std::vector<std::pair<std::string, std::vector<size_t>>> layers = {
      {"Conv", {1, 2}},      {"ConvTranspose", {1, 2}}, {"Gemm", {1, 2}},
      {"MatMul", {1}},       {"GRU", {1, 2, 3}},        {"BatchNormalization", {1, 2, 3, 4}},
      {"LSTM", {1, 2, 3, 7}}};
  for (const auto& [op, operands] : layers) {
    SCOPED_TRACE(op);
    GraphBuilder net;
    ir::Value* x = net.Input("x");
    std::vector<ir::Value*> inputs = {x};
    for (size_t i = 1; i <= operands.back(); ++i) {
      const bool folds = std::ranges::count(operands, i) > 0;
      const std::string name = std::to_string(i);
      inputs.push_back(folds ? net.Op("Neg", "neg" + name, {net.Init("w" + name, {2})}) : nullptr);
    }
    net.Output(net.Op(op, "y", inputs));
    EXPECT_EQ(Statistic(Fold(net), "folded"), static_cast<int64_t>(operands.size()));
    EXPECT_EQ(net.graph().num_nodes(), 1u);
    EXPECT_EQ(net.graph().initializers().size(), operands.size());
  }
}

TEST(FoldWeights, ABiasThatIsAddedToMatMul) {
  GraphBuilder net;
  ir::Value* product = net.Op("MatMul", "m", {net.Input("x"), net.Init("w", {4, 4})});
  ir::Value* bias = net.Op("Neg", "b", {net.Init("minus_b", {4})});
  net.Output(net.Op("Add", "y", {product, bias}));
  EXPECT_TRUE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()), "m = MatMul(x, w)\ny = Add(m, b)\nreturn y\n");
}

TEST(FoldWeights, ConstantNodesBecomeInitializers) {
  GraphBuilder net;
  ir::Value* w = net.Op("Constant", "w", {},
                        {{"value", ir::Tensor::Of({2, 2}, std::vector<float>{1, 2, 3, 4})}});
  net.Output(net.Op("MatMul", "y", {net.Input("x"), w}));
  EXPECT_TRUE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = MatMul(x, w)\nreturn y\n");
  EXPECT_EQ(InitializerNames(net.graph()), Names{"w"});
}

TEST(FoldWeights, IdentityOfAnInitializerThatNothingElseUses) {
  GraphBuilder net;
  ir::Value* w = net.Op("Identity", "b", {net.Op("Identity", "a", {net.Init("w", {2, 2})})});
  net.Output(net.Op("MatMul", "y", {net.Input("x"), w}));
  const PassReport report = Fold(net);
  EXPECT_EQ(Statistic(report, "shortened"), 1);
  EXPECT_EQ(Statistic(report, "folded"), 0);
  EXPECT_EQ(Listing(net.graph()), "y = MatMul(x, w)\nreturn y\n");
}

TEST(FoldWeights, SharedInitializersStayShared) {
  GraphBuilder net;
  ir::Value* w = net.Init("w", {2, 2});
  ir::Value* same = net.Op("Identity", "same", {w});
  ir::Value* x = net.Input("x");
  net.Output(net.Op("MatMul", "y", {x, w}));
  net.Output(net.Op("MatMul", "z", {x, same}));
  net.Output(net.Op("MatMul", "u", {x, w}));
  ExpectUnchanged(net);
}

TEST(FoldWeights, SharedComputationsStayShared) {
  GraphBuilder net;
  ir::Value* t = net.Op("Transpose", "t", {net.Init("w", {2, 2})});
  ir::Value* same = net.Op("Identity", "same", {t});
  ir::Value* x = net.Input("x");
  net.Output(net.Op("MatMul", "y", {x, t}));
  net.Output(net.Op("MatMul", "z", {x, same}));
  net.Output(net.Op("Add", "u", {x, t}));
  EXPECT_EQ(Statistic(Fold(net), "folded"), 1);
  EXPECT_EQ(Listing(net.graph()),
            "same = Identity(t)\ny = MatMul(x, t)\nz = MatMul(x, same)\nu = Add(x, t)\n"
            "return y, z, u\n");
  EXPECT_EQ(InitializerNames(net.graph()), Names{"t"});
}

TEST(FoldWeights, WhatElseHangsOnTheComputationStays) {
  GraphBuilder net;
  ir::Value* w = net.Init("w", {2, 2});
  ir::Node* halves = net.Node("Split", "s", {w}, {{"axis", int64_t{0}}}, 2);
  ir::Value* x = net.Input("x");
  net.Output(net.Op("MatMul", "y", {x, halves->output()}));
  net.Output(net.Op("Neg", "z", {halves->output(1)}));
  EXPECT_TRUE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()),
            "s.computed, s.output1 = Split(w)\ny = MatMul(x, s)\nz = Neg(s.output1)\n"
            "return y, z\n");
}

TEST(FoldWeights, AGraphOutputStaysComputed) {
  GraphBuilder net;
  ir::Value* t = net.Op("Transpose", "t", {net.Init("w", {2, 2})});
  net.Output(net.Op("MatMul", "y", {net.Input("x"), t}));
  net.Output(t);
  EXPECT_TRUE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()), "t = Transpose(w)\ny = MatMul(x, t1)\nreturn y, t\n");
}

TEST(FoldWeights, BodiesUseConstantsOfTheGraphAround) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* t = net.Op("Transpose", "t", {net.Init("w", {2, 2})});
  ir::Node* branch = net.Node("If", "y", {net.Input("cond", {})});
  for (const std::string name : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(name), false);
    ir::Value& captured = net.rewriter().Capture(body, *t);
    ir::Node* same = net.Node(body, "Neg", name + "_neg", {&captured});
    ir::Node* product =
        net.Node(body, "MatMul", name + "_y", {&net.rewriter().Capture(body, *x), same->output()});
    net.rewriter().AddGraphOutput(body, product->output());
  }
  net.Output(branch->output());
  EXPECT_EQ(Statistic(Fold(net), "folded"), 2);
  EXPECT_EQ(Listing(net.graph()),
            "y = If(cond)\n  then_branch_y = MatMul(x, then_branch_neg)\n  return then_branch_y\n"
            "  else_branch_y = MatMul(x, else_branch_neg)\n  return else_branch_y\nreturn y\n");
  EXPECT_EQ(InitializerNames(net.graph()), Names{});
  EXPECT_EQ(InitializerNames(*branch->bodies()[0]), Names{"then_branch_neg"});
}

TEST(FoldWeights, ComputationsOfInputsStayWithoutARemark) {
  GraphBuilder net;
  ir::Value* x = net.Input("x", {2, 2});
  // Another output of the same graph is constant but no weight.
  net.Output(net.Op("Neg", "c", {net.Init("k", {2})}));
  net.Output(net.Op("MatMul", "y", {x, net.Op("Add", "a", {x, net.Init("w", {2, 2})})}));
  const PassReport report = Fold(net);
  EXPECT_FALSE(report.changed);
  EXPECT_TRUE(report.remarks.empty());
}

TEST(FoldWeights, DefaultsOfInputsAreNotConstant) {
  GraphBuilder net;
  ir::Value* w = net.Input("w", {2, 2});
  net.rewriter().SetDefault(*w, ir::Tensor::Of({2, 2}, std::vector<float>(4, 1.0f)));
  net.Output(net.Op("MatMul", "y", {net.Input("x"), net.Op("Transpose", "t", {w})}));
  ExpectUnchanged(net);
}

TEST(FoldWeights, UnknownOperatorsAreReportedOnce) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* w = net.Op("Einsum", "w", {net.Init("v", {2, 2})});
  net.Output(net.Op("MatMul", "y", {x, w}));
  net.Output(net.Op("MatMul", "z", {x, w}));
  const PassReport report = Fold(net);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Statistic(report, "left"), 1);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].kind, Remark::Kind::kMissed);
  EXPECT_EQ(report.remarks[0].message,
            "'w' stays computed: node 'w': operator Einsum is not evaluated");
}

TEST(FoldWeights, RandomNumbersAreNotConstant) {
  GraphBuilder net;
  ir::Value* w = net.Op("RandomNormal", "w", {}, {{"shape", std::vector<int64_t>{2, 2}}});
  net.Output(net.Op("MatMul", "y", {net.Input("x"), w}));
  ExpectUnchanged(net);
}

TEST(FoldWeights, GrowthIsLimited) {
  for (const int64_t rows : {512, 513}) {
    GraphBuilder net;
    ir::Value* w = net.Op("Expand", "w", {net.Init("row", {1, 512}), Ints(net, "to", {rows, 512})});
    net.Output(net.Op("MatMul", "y", {net.Input("x"), w}));
    const PassReport report = Fold(net);
    EXPECT_EQ(report.changed, rows == 512);
    ASSERT_EQ(report.remarks.size(), 1u);
    if (rows == 513) {
      EXPECT_EQ(report.remarks[0].message,
                "'w' stays computed: node 'w': Expand: the result would take 1050624 bytes, "
                "1048576 are allowed");
    }
  }
}

TEST(FoldWeights, LargeWeightsMayGrowFourfold) {
  GraphBuilder net;
  const std::vector<int8_t> bytes(1 << 19, 1);
  ir::Value* w = &net.rewriter().AddInitializer(net.graph(), net.model().Intern("q"),
                                                ir::Tensor::Of({1 << 10, 1 << 9}, bytes));
  ir::Value* f = net.Op("DequantizeLinear", "w", {w, net.Init("scale", {}, 0.5)});
  net.Output(net.Op("MatMul", "y", {net.Input("x"), f}));
  EXPECT_TRUE(Fold(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = MatMul(x, w)\nreturn y\n");
}

TEST(FoldWeights, FunctionsHaveNoInitializers) {
  GraphBuilder net;
  ir::Function& function =
      net.rewriter().AddFunction(net.model().Intern("own"), net.model().Intern("F"), {});
  net.rewriter().SetFunctionInterface(function, {}, {}, {{"", 13}});
  ir::Graph& body = function.body();
  ir::Value* x = net.Input(body, "fx", {1, 2});
  ir::Node* w = net.Node(body, "Constant", "fw", {},
                         {{"value", ir::Tensor::Of({2, 2}, std::vector<float>(4, 1.0f))}});
  ir::Node* y = net.Node(body, "MatMul", "fy", {x, w->output()});
  net.rewriter().AddGraphOutput(body, y->output());
  net.Output(net.Op("Neg", "n", {net.Input("x")}));
  EXPECT_FALSE(Fold(net).changed);
  EXPECT_EQ(body.num_nodes(), 2u);
}

TEST(FoldWeights, AnUnusedChainIsNotLookedAt) {
  GraphBuilder net;
  net.Op("Transpose", "dead", {net.Init("w", {2, 2})});
  net.Output(net.Op("Neg", "y", {net.Input("x")}));
  ExpectUnchanged(net);
}

}  // namespace
}  // namespace lathe::passes
