#include "lathe/passes/canonical/eliminate_identity.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

PassReport Eliminate(GraphBuilder& net) { return RunPass(net.model(), "eliminate-identity"); }

void ExpectUnchanged(GraphBuilder& net) {
  const std::string before = Listing(net.graph());
  EXPECT_FALSE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), before);
}

TEST(EliminateIdentity, ChainsGoInOneRun) {
  GraphBuilder net;
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  ir::Value* b = net.Op("Identity", "b", {a});
  ir::Value* c = net.Op("Identity", "c", {b});
  ir::Value* d = net.Op("Dropout", "d", {c, net.Init("ratio", {})});
  net.Output(net.Op("Add", "y", {d, b}));
  const PassReport report = Eliminate(net);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "removed"), 3);
  EXPECT_EQ(Listing(net.graph()), "a = Relu(x)\ny = Add(a, a)\nreturn y\n");
  ExpectUnchanged(net);
}

TEST(EliminateIdentity, ConstantsBecomeOperands) {
  GraphBuilder net;
  ir::Value* w = net.Op("Identity", "same_w", {net.Init("w", {2, 2, 1, 1})});
  net.Output(net.Op("Conv", "y", {net.Input("x"), w}));
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = Conv(x, w)\nreturn y\n");
}

TEST(EliminateIdentity, TheOutputKeepsNameTypeAndNotes) {
  GraphBuilder net;
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  ir::Value* y = net.Op("Identity", "y", {a});
  const ir::Type* type = net.model().Intern(ir::Type::Tensor(
      ir::ElementType::kFloat32, ir::Shape{ir::Dim::Symbol("batch"), ir::Dim::Known(2)}));
  net.rewriter().SetType(*y, type);
  net.rewriter().SetNotes(*y, ir::ValueNotes{"the answer", {}});
  net.Output(y);
  net.Output(net.Op("Neg", "z", {a}));
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = Relu(x)\nz = Neg(y)\nreturn y, z\n");
  const ir::Value& output = *net.graph().outputs()[0].value();
  EXPECT_EQ(output.type_ref(), type);
  ASSERT_NE(output.notes(), nullptr);
  EXPECT_EQ(output.notes()->doc, "the answer");
}

TEST(EliminateIdentity, WhatTheResultKnewIsKept) {
  GraphBuilder net;
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  ir::Value* b = net.Op("Identity", "b", {a});
  net.rewriter().SetType(*b, net.graph().inputs()[0]->type_ref());
  net.Output(net.Op("Neg", "y", {b}));
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(a->type_ref(), net.graph().inputs()[0]->type_ref());
}

TEST(EliminateIdentity, StaysBetweenInputAndOutput) {
  GraphBuilder net;
  net.Output(net.Op("Identity", "y", {net.Input("x")}));
  ExpectUnchanged(net);
}

TEST(EliminateIdentity, StaysBetweenConstantAndOutput) {
  GraphBuilder net;
  net.Output(net.Op("Identity", "y", {net.Init("w", {2})}));
  ExpectUnchanged(net);
}

TEST(EliminateIdentity, StaysBetweenTwoOutputs) {
  GraphBuilder net;
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  net.Output(a);
  net.Output(net.Op("Identity", "y", {a}));
  ExpectUnchanged(net);
}

TEST(EliminateIdentity, OneOfTwoOutputsTakesTheName) {
  GraphBuilder net;
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  net.Output(net.Op("Identity", "y", {a}));
  net.Output(net.Op("Identity", "z", {a}));
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = Relu(x)\nz = Identity(y)\nreturn y, z\n");
  ExpectUnchanged(net);
}

TEST(EliminateIdentity, DropoutStaysWhenItsMaskIsUsed) {
  GraphBuilder net;
  ir::Node* dropout = net.Node("Dropout", "d", {net.Op("Relu", "a", {net.Input("x")})}, {}, 2);
  net.Output(net.Op("Neg", "y", {dropout->output()}));
  net.Output(dropout->output(1));
  ExpectUnchanged(net);
}

TEST(EliminateIdentity, DropoutStaysInTrainingMode) {
  for (const bool computed : {false, true}) {
    GraphBuilder net;
    ir::Value* mode =
        computed ? net.Input("mode", {})
                 : &net.rewriter().CreateInitializer(net.graph(), "mode", ir::Tensor::Scalar(true));
    ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
    net.Output(net.Op("Neg", "y", {net.Op("Dropout", "d", {a, nullptr, mode})}));
    ExpectUnchanged(net);
  }
}

TEST(EliminateIdentity, DropoutGoesWithConstantFalseAndUnusedMask) {
  GraphBuilder net;
  ir::Value* mode =
      &net.rewriter().CreateInitializer(net.graph(), "mode", ir::Tensor::Scalar(false));
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  ir::Node* dropout = net.Node("Dropout", "d", {a, nullptr, mode}, {}, 2);
  net.Output(net.Op("Neg", "y", {dropout->output()}));
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), "a = Relu(x)\ny = Neg(a)\nreturn y\n");
}

TEST(EliminateIdentity, DropoutBeforeOpset7IsForTrainingUnlessItSaysTest) {
  for (const int64_t is_test : {0, 1}) {
    GraphBuilder net;
    ir::Function& function =
        net.rewriter().AddFunction(net.model().Intern("own"), net.model().Intern("F"), {});
    net.rewriter().SetFunctionInterface(function, {}, {}, {{"", 6}});
    ir::Graph& body = function.body();
    ir::Value* x = net.Input(body, "fx", {1});
    ir::Node* relu = net.Node(body, "Relu", "fa", {x});
    ir::Node* dropout = net.Node(body, "Dropout", "fd", {relu->output()}, {{"is_test", is_test}});
    ir::Node* neg = net.Node(body, "Neg", "fy", {dropout->output()});
    net.rewriter().AddGraphOutput(body, neg->output());
    EXPECT_EQ(Eliminate(net).changed, is_test == 1);
    EXPECT_EQ(body.num_nodes(), is_test == 1 ? 2u : 3u);
  }
}

TEST(EliminateIdentity, AnotherDomainsIdentityIsNotOurs) {
  GraphBuilder net;
  ir::Node* custom = net.Node("Identity", "c", {net.Op("Relu", "a", {net.Input("x")})});
  net.rewriter().SetOperator(*custom, "Identity", "vendor");
  net.Output(net.Op("Neg", "y", {custom->output()}));
  ExpectUnchanged(net);
}

TEST(EliminateIdentity, BodiesAreVisitedAndTheirOutputsKept) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* branch = net.Node("If", "y", {net.Input("cond", {})});
  ir::Graph& then_body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  ir::Value& inner = net.rewriter().Capture(then_body, *x);
  ir::Node* relu = net.Node(then_body, "Relu", "a", {&inner});
  ir::Node* identity = net.Node(then_body, "Identity", "b", {relu->output()});
  ir::Node* result = net.Node(then_body, "Identity", "c", {identity->output()});
  net.rewriter().AddGraphOutput(then_body, result->output());
  ir::Graph& else_body = net.rewriter().AddBody(*branch, net.model().Intern("else_branch"), false);
  ir::Value& outer = net.rewriter().Capture(else_body, *x);
  ir::Node* only = net.Node(else_body, "Identity", "d", {&outer});
  net.rewriter().AddGraphOutput(else_body, only->output());
  net.Output(branch->output());
  EXPECT_TRUE(Eliminate(net).changed);
  // A body's output must be a node's result: what only hands a captured value on has to stay.
  EXPECT_EQ(Listing(net.graph()),
            "y = If(cond)\n  a = Relu(x)\n  return a\n  d = Identity(x)\n  return d\nreturn y\n");
}

}  // namespace
}  // namespace lathe::passes
