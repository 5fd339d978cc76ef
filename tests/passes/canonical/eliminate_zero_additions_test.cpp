#include "lathe/passes/canonical/eliminate_zero_additions.h"

#include <cmath>

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

PassReport Eliminate(GraphBuilder& net) { return RunPass(net.model(), "eliminate-zero-additions"); }

// y = op(x + 0, z), or op(z, x + 0): whether the addition goes.
bool GoesBefore(const std::string& op, size_t index = 0) {
  GraphBuilder net;
  std::vector<ir::Value*> operands(2, net.Input("z"));
  operands[index] = net.Op("Add", "a", {net.Input("x"), net.Init("zero", {}, 0)});
  net.Output(net.Op(op, "y", operands));
  return Eliminate(net).changed;
}

TEST(ZeroAdditions, GoWhereEqualNumbersGiveEqualNumbers) {
  EXPECT_TRUE(GoesBefore("Mul"));
  EXPECT_TRUE(GoesBefore("Add", 1));
  EXPECT_TRUE(GoesBefore("MatMul", 1));
  EXPECT_TRUE(GoesBefore("Div", 0));
  EXPECT_TRUE(GoesBefore("Less", 1));
}

TEST(ZeroAdditions, StayWhereTheSignCanBeTold) {
  EXPECT_FALSE(GoesBefore("Div", 1));
  EXPECT_FALSE(GoesBefore("Pow", 0));
  EXPECT_FALSE(GoesBefore("Surprise"));
}

TEST(ZeroAdditions, TheSignIsFollowedAsFarAsItGoes) {
  for (const std::string op : {"Tanh", "Exp", "Concat"}) {
    GraphBuilder net;
    ir::Value* x = net.Input("x");
    ir::Value* a = net.Op("Add", "a", {x, net.Init("zero", {}, 0)});
    ir::Value* b = net.Op(op, "b", {a});
    ir::Value* c = net.Op("Reshape", "c", {b, net.Init("shape", {})});
    net.Output(net.Op("Reciprocal", "y", {c}));
    const PassReport report = Eliminate(net);
    // Exp(-0.0) and Exp(0.0) are 1.
    EXPECT_EQ(report.changed, op == "Exp");
    if (op == "Exp") continue;
    ASSERT_EQ(report.remarks.size(), 1u);
    EXPECT_EQ(report.remarks[0].message,
              "the sign of a zero could be told from what the result leads to");
  }
}

TEST(ZeroAdditions, IntegersHaveOneZero) {
  GraphBuilder net;
  ir::Value* a = net.Op("Add", "a", {net.Input("x"), net.Init("zero", {}, 0)});
  ir::Value* b = net.Op("Cast", "b", {a}, {{"to", int64_t{7}}});
  net.rewriter().SetType(*b, net.model().Intern(ir::Type::Tensor(ir::ElementType::kInt64)));
  net.Output(net.Op("Surprise", "y", {b}));
  EXPECT_TRUE(Eliminate(net).changed);
}

TEST(ZeroAdditions, BodiesCanTell) {
  GraphBuilder net;
  ir::Value* a = net.Op("Add", "a", {net.Input("x"), net.Init("zero", {}, 0)});
  ir::Node* branch = net.Node("If", "y", {net.Input("cond", {})});
  for (const char* side : {"then_branch", "else_branch"}) {
    ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern(side), false);
    ir::Node* neg = net.Node(body, "Neg", side, {&net.rewriter().Capture(body, *a)});
    net.rewriter().AddGraphOutput(body, neg->output());
  }
  net.Output(branch->output());
  EXPECT_FALSE(Eliminate(net).changed);
}

TEST(ZeroAdditions, OnlyTheZeroThatDoesThis) {
  for (const float zero : {0.0f, -0.0f, 1.0f}) {
    GraphBuilder net;
    ir::Value* d = net.Op("Sub", "d", {net.Input("x"), net.Init("zero", {}, zero)});
    net.Output(net.Op("Tanh", "y", {d}));
    EXPECT_EQ(Eliminate(net).changed, zero == 0 && std::signbit(zero));
  }
}

TEST(ZeroAdditions, ZerosThatBroadcastStay) {
  GraphBuilder net;
  ir::Value* a = net.Op("Add", "a", {net.Input("x", {1, 4}), net.Init("zeros", {3, 1}, 0)});
  net.Output(net.Op("Tanh", "y", {a}));
  EXPECT_FALSE(Eliminate(net).changed);
}

TEST(ZeroAdditions, AGraphOutputMayHaveEitherZero) {
  GraphBuilder net;
  ir::Value* t = net.Op("Tanh", "t", {net.Input("x")});
  net.Output(net.Op("Add", "y", {t, net.Init("zero", {}, 0)}));
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = Tanh(x)\nreturn y\n");
}

}  // namespace
}  // namespace lathe::passes
