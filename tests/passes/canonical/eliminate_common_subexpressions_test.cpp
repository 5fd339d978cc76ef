#include "lathe/passes/canonical/eliminate_common_subexpressions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

PassReport Merge(GraphBuilder& net) {
  return RunPass(net.model(), "eliminate-common-subexpressions");
}

void ExpectUnchanged(GraphBuilder& net) {
  const std::string before = Listing(net.graph());
  const std::vector<std::string> constants = InitializerNames(net.graph());
  EXPECT_FALSE(Merge(net).changed);
  EXPECT_EQ(Listing(net.graph()), before);
  EXPECT_EQ(InitializerNames(net.graph()), constants);
}

TEST(CommonSubexpressions, EqualChainsBecomeOne) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* a = net.Op("Relu", "a", {net.Op("Tanh", "a0", {x})});
  ir::Value* b = net.Op("Relu", "b", {net.Op("Tanh", "b0", {x})});
  net.Output(net.Op("Mul", "y", {a, b}));
  const PassReport report = Merge(net);
  EXPECT_EQ(Statistic(report, "nodes"), 2);
  EXPECT_EQ(Listing(net.graph()), "a0 = Tanh(x)\na = Relu(a0)\ny = Mul(a, a)\nreturn y\n");
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, TheFirstTakesOverTheOrigins) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* a = net.Node("Tanh", "a", {x});
  net.Output(net.Op("Sum", "y", {a->output(), net.Op("Tanh", "b", {x}), net.Op("Tanh", "c", {x})}));
  EXPECT_TRUE(Merge(net).changed);
  std::vector<std::string> names;
  for (const ir::Name name : net.model().OriginNames(a->origin())) {
    names.emplace_back(net.model().Text(name));
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("a", "b", "c"));
}

TEST(CommonSubexpressions, AttributesCountInAnyOrder) {
  for (const int64_t axis : {0, 1}) {
    GraphBuilder net;
    ir::Value* x = net.Input("x");
    ir::Value* a = net.Op("Gather", "a", {x, x}, {{"axis", int64_t{1}}, {"k", 0.5f}});
    ir::Value* b = net.Op("Gather", "b", {x, x}, {{"k", 0.5f}, {"axis", axis}});
    net.Output(net.Op("Mul", "y", {a, b}));
    EXPECT_EQ(Merge(net).changed, axis == 1);
  }
}

TEST(CommonSubexpressions, FloatsAreComparedByTheirBits) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* a = net.Op("LeakyRelu", "a", {x}, {{"alpha", 0.0f}});
  ir::Value* b = net.Op("LeakyRelu", "b", {x}, {{"alpha", -0.0f}});
  net.Output(net.Op("Mul", "y", {a, b}));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, OrderOfOperandsCountsUnlessTheOperatorCommutes) {
  for (const std::string op : {"Add", "Sub"}) {
    GraphBuilder net;
    ir::Value* x = net.Input("x");
    ir::Value* z = net.Input("z");
    net.Output(net.Op("Pow", "y", {net.Op(op, "a", {x, z}), net.Op(op, "b", {z, x})}));
    EXPECT_EQ(Merge(net).changed, op == "Add");
  }
}

TEST(CommonSubexpressions, EqualInitializersAreOneConstant) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* a = net.Op("Add", "a", {x, net.Init("one", {}, 1)});
  ir::Value* b = net.Op("Add", "b", {net.Init("uno", {}, 1), x});
  net.Output(net.Op("Mul", "y", {a, b}));
  const PassReport report = Merge(net);
  EXPECT_EQ(Statistic(report, "constants"), 1);
  EXPECT_EQ(Statistic(report, "nodes"), 1);
  EXPECT_EQ(Listing(net.graph()), "a = Add(x, one)\ny = Mul(a, a)\nreturn y\n");
  EXPECT_THAT(InitializerNames(net.graph()), ElementsAre("one"));
}

TEST(CommonSubexpressions, ConstantsDifferByTypeShapeAndSign) {
  GraphBuilder net;
  std::vector<ir::Value*> values = {
      net.Init("scalar", {}, 0), net.Init("vector", {1}, 0), net.Init("negative", {}, -0.0f),
      &net.rewriter().CreateInitializer(net.graph(), "integer", ir::Tensor::Scalar(int32_t{0}))};
  for (ir::Value* value : values) net.Output(net.Op("Neg", "n", {value}));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, LargeConstantsAreComparedThroughout) {
  GraphBuilder net;
  std::vector<float> values(100000, 1.0f);
  const auto add = [&](const char* name) {
    return &net.rewriter().CreateInitializer(net.graph(), name, ir::Tensor::Of({100000}, values));
  };
  ir::Value* a = add("a");
  ir::Value* same = add("same");
  // Not among the samples that are hashed.
  values[150] = 2;
  ir::Value* other = add("other");
  net.Output(net.Op("Sum", "y", {a, same, other}));
  EXPECT_EQ(Statistic(Merge(net), "constants"), 1);
  EXPECT_EQ(Listing(net.graph()), "y = Sum(a, a, other)\nreturn y\n");
}

TEST(CommonSubexpressions, ConstantNodesAreInitializersInDisguise) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* one = net.Init("one", {}, 1);
  ir::Value* uno = net.Op("Constant", "uno", {}, {{"value_float", 1.0f}});
  ir::Value* two = net.Op("Constant", "two", {}, {{"value", ir::Tensor::Scalar(2.0f)}});
  ir::Value* due = net.Op("Constant", "due", {}, {{"value_float", 2.0f}});
  net.Output(net.Op("Sum", "y", {x, one, uno, two, due}));
  EXPECT_EQ(Statistic(Merge(net), "constants"), 2);
  EXPECT_EQ(Listing(net.graph()), "two = Constant()\ny = Sum(x, one, one, two, two)\nreturn y\n");
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, DefaultsOfInputsAreNoConstants) {
  GraphBuilder net;
  ir::Value* a = net.Input("a", {});
  ir::Value* b = net.Input("b", {});
  for (ir::Value* input : {a, b}) net.rewriter().SetDefault(*input, ir::Tensor::Scalar(1.0f));
  net.Output(net.Op("Mul", "y", {net.Op("Neg", "c", {a}), net.Op("Neg", "d", {b})}));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, RandomNumbersAndUnknownOperatorsStay) {
  for (const std::string op :
       {"RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "Surprise"}) {
    GraphBuilder net;
    ir::Value* x = net.Input("x");
    net.Output(net.Op("Mul", "y", {net.Op(op, "a", {x}), net.Op(op, "b", {x})}));
    ExpectUnchanged(net);
  }
}

TEST(CommonSubexpressions, OtherDomainsStay) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* a = net.Node("Relu", "a", {x});
  ir::Node* b = net.Node("Relu", "b", {x});
  for (ir::Node* node : {a, b}) net.rewriter().SetOperator(*node, "Relu", "vendor");
  net.Output(net.Op("Mul", "y", {a->output(), b->output()}));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, DropoutMergesInInferenceForm) {
  for (const bool training : {false, true}) {
    GraphBuilder net;
    ir::Value* x = net.Input("x");
    ir::Value* ratio = net.Init("ratio", {}, 0.5);
    ir::Value* mode =
        &net.rewriter().CreateInitializer(net.graph(), "mode", ir::Tensor::Scalar(training));
    ir::Value* a = net.Op("Dropout", "a", {x, ratio, mode});
    ir::Value* b = net.Op("Dropout", "b", {x, ratio, mode});
    net.Output(net.Op("Mul", "y", {a, b}));
    EXPECT_EQ(Merge(net).changed, !training);
  }
}

TEST(CommonSubexpressions, AnnotationsCount) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* a = net.Node("Relu", "a", {x});
  ir::Node* b = net.Node("Relu", "b", {x});
  net.rewriter().SetAnnotation(b->inputs()[0], net.model().Intern("quantise"));
  net.Output(net.Op("Mul", "y", {a->output(), b->output()}));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, NumbersOfResultsCount) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* a = net.Op("MaxPool", "a", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  ir::Node* b = net.Node("MaxPool", "b", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}, 2);
  net.Output(net.Op("Mul", "y", {a, b->output()}));
  net.Output(b->output(1));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, GraphOutputsKeepTheirNames) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  net.Output(net.Op("Neg", "n", {net.Op("Relu", "a", {x})}));
  net.Output(net.Op("Relu", "y", {x}));
  EXPECT_TRUE(Merge(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = Relu(x)\nn = Neg(y)\nreturn n, y\n");
}

TEST(CommonSubexpressions, TwoGraphOutputsStayTwoNodes) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  for (const char* name : {"y", "z"}) net.Output(net.Op("Relu", name, {x}));
  net.Output(net.Op("Neg", "n", {net.Op("Relu", "a", {x})}));
  EXPECT_EQ(Statistic(Merge(net), "nodes"), 1);
  EXPECT_EQ(Listing(net.graph()), "y = Relu(x)\nz = Relu(x)\nn = Neg(y)\nreturn y, z, n\n");
  ExpectUnchanged(net);
}

// If(cond) whose branches each compute Neg(Relu(x)), with x captured; `nested` deep.
ir::Node* Branches(GraphBuilder& net, ir::Graph& in, ir::Value& x, const std::string& name,
                   int nested) {
  ir::Value& condition = net.rewriter().Capture(in, *net.graph().inputs().back());
  ir::Node* branch = net.Node(in, "If", name, {&condition});
  for (const char* side : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(side), false);
    const std::string inner = name + side[0];
    ir::Value* result = nullptr;
    if (nested > 0) {
      result = Branches(net, body, x, inner, nested - 1)->output();
    } else {
      result = net.Node(body, "Relu", inner, {&net.rewriter().Capture(body, x)})->output();
    }
    net.rewriter().AddGraphOutput(body, net.Node(body, "Neg", inner + "n", {result})->output());
  }
  return branch;
}

TEST(CommonSubexpressions, BodiesReadWhatIsComputedAround) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  net.Input("cond", {});
  ir::Value* a = net.Op("Relu", "a", {x});
  ir::Node* branch = Branches(net, net.graph(), *x, "b", 1);
  net.Output(net.Op("Mul", "y", {a, branch->output()}));
  EXPECT_EQ(Statistic(Merge(net), "nodes"), 4);
  EXPECT_EQ(Listing(net.graph()),
            "a = Relu(x)\n"
            "b = If(cond)\n"
            "  bt = If(cond)\n"
            "    bttn = Neg(a)\n    return bttn\n    bten = Neg(a)\n    return bten\n"
            "  btn = Neg(bt)\n  return btn\n"
            "  be = If(cond)\n"
            "    betn = Neg(a)\n    return betn\n    been = Neg(a)\n    return been\n"
            "  ben = Neg(be)\n  return ben\n"
            "y = Mul(a, b)\nreturn y\n");
}

TEST(CommonSubexpressions, WhatComesAfterABodyIsNotReadInIt) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  net.Input("cond", {});
  ir::Node* branch = Branches(net, net.graph(), *x, "b", 0);
  ir::Value* a = net.Op("Relu", "a", {x});
  net.Output(net.Op("Mul", "y", {a, branch->output()}));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, ConstantsOfBodiesStayThereAndAreEqualAllTheSame) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* branch = nullptr;
  ir::Value* a = net.Op("Add", "a", {x, net.Init("one", {}, 1)});
  branch = net.Node("If", "b", {net.Input("cond", {})});
  for (const char* side : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(side), false);
    ir::Value* uno = net.Init(body, std::string("uno_") + side, {}, 1);
    ir::Node* add =
        net.Node(body, "Add", std::string("add_") + side, {&net.rewriter().Capture(body, *x), uno});
    ir::Node* mul = net.Node(body, "Mul", side, {add->output(), uno});
    net.rewriter().AddGraphOutput(body, mul->output());
  }
  net.Output(net.Op("Mul", "y", {a, branch->output()}));
  const PassReport report = Merge(net);
  EXPECT_EQ(Statistic(report, "nodes"), 2);
  EXPECT_EQ(Statistic(report, "constants"), 0);
  EXPECT_EQ(Listing(net.graph()),
            "a = Add(x, one)\nb = If(cond)\n"
            "  then_branch = Mul(a, uno_then_branch)\n  return then_branch\n"
            "  else_branch = Mul(a, uno_else_branch)\n  return else_branch\n"
            "y = Mul(a, b)\nreturn y\n");
}

TEST(CommonSubexpressions, NodesWithBodiesStay) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  net.Input("cond", {});
  ir::Node* a = Branches(net, net.graph(), *x, "a", 0);
  ir::Node* b = Branches(net, net.graph(), *x, "b", 0);
  net.Output(net.Op("Mul", "y", {a->output(), b->output()}));
  ExpectUnchanged(net);
}

TEST(CommonSubexpressions, FunctionsAreVisitedByThemselves) {
  GraphBuilder net;
  net.Op("Relu", "r", {net.Input("x")});
  ir::Function& function =
      net.rewriter().AddFunction(net.model().Intern("own"), net.model().Intern("F"), {});
  net.rewriter().SetFunctionInterface(function, {}, {}, {{"", 13}});
  ir::Graph& body = function.body();
  ir::Value* x = net.Input(body, "fx", {1});
  ir::Node* a = net.Node(body, "Relu", "fa", {x});
  ir::Node* b = net.Node(body, "Relu", "fb", {x});
  ir::Node* y = net.Node(body, "Mul", "fy", {a->output(), b->output()});
  net.rewriter().AddGraphOutput(body, y->output());
  EXPECT_EQ(Statistic(Merge(net), "nodes"), 1);
  EXPECT_EQ(Listing(body), "fa = Relu(fx)\nfy = Mul(fa, fa)\nreturn fy\n");
}

}  // namespace
}  // namespace lathe::passes
