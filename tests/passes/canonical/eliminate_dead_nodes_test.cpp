#include "lathe/passes/canonical/eliminate_dead_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

PassReport Eliminate(GraphBuilder& net) { return RunPass(net.model(), "eliminate-dead-nodes"); }

TEST(EliminateDeadNodes, ChainsAndTheirInitializersGo) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  net.Op("Relu", "d2", {net.Op("Conv", "d1", {x, net.Init("old", {2, 2, 1, 1})})});
  net.Output(net.Op("Conv", "y", {x, net.Init("w", {2, 2, 1, 1})}));
  net.Init("never_used", {1});
  const PassReport report = Eliminate(net);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "nodes"), 2);
  EXPECT_EQ(Statistic(report, "initializers"), 2);
  EXPECT_EQ(Listing(net.graph()), "y = Conv(x, w)\nreturn y\n");
  EXPECT_THAT(InitializerNames(net.graph()), ElementsAre("w"));
  EXPECT_FALSE(Eliminate(net).changed);
}

TEST(EliminateDeadNodes, InputsStayAlthoughUnused) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* unused = net.Input("unused", {2});
  net.rewriter().SetDefault(*unused, ir::Tensor::Of<float>({2}, std::vector<float>{1, 2}));
  net.Output(net.Op("Relu", "y", {x}));
  EXPECT_FALSE(Eliminate(net).changed);
  EXPECT_EQ(net.graph().inputs().size(), 2u);
  EXPECT_TRUE(static_cast<bool>(unused->tensor()));
}

TEST(EliminateDeadNodes, OneUsedOutputKeepsANode) {
  GraphBuilder net;
  ir::Node* split = net.Node("Split", "s", {net.Input("x")}, {}, 3);
  net.Output(split->output(2));
  EXPECT_FALSE(Eliminate(net).changed);
  EXPECT_EQ(net.graph().num_nodes(), 1u);
}

TEST(EliminateDeadNodes, UnusedOptionalResultsAreOmitted) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* lstm = net.Node("LSTM", "l", {x, net.Init("w", {1}), net.Init("r", {1})}, {}, 3);
  net.Output(lstm->output(1));
  const PassReport report = Eliminate(net);
  EXPECT_EQ(Statistic(report, "results"), 2);
  // The last one goes, the first leaves its place empty.
  ASSERT_EQ(lstm->num_outputs(), 2u);
  EXPECT_TRUE(lstm->output(0)->name().empty());
  EXPECT_EQ(lstm->output(1)->name_text(), "l.output1");
  EXPECT_FALSE(Eliminate(net).changed);
}

TEST(EliminateDeadNodes, ResultsThatSayWhatIsComputedStay) {
  GraphBuilder net;
  ir::Node* norm = net.Node("BatchNormalization", "b", {net.Input("x")}, {}, 3);
  ir::Node* custom = net.Node("Custom", "c", {norm->output()}, {}, 2);
  net.Output(custom->output());
  EXPECT_FALSE(Eliminate(net).changed);
  EXPECT_EQ(norm->num_outputs(), 3u);
  EXPECT_EQ(custom->num_outputs(), 2u);
}

TEST(EliminateDeadNodes, ANodeWithoutOutputsStays) {
  GraphBuilder net;
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  net.Node("Observe", "o", {a}, {}, 0);
  EXPECT_FALSE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), "a = Relu(x)\nObserve(a)\nreturn \n");
}

TEST(EliminateDeadNodes, BodiesReleaseWhatTheyCaptured) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* a = net.Op("Relu", "a", {x});
  ir::Value* b = net.Op("Neg", "b", {x});
  ir::Node* branch = net.Node("If", "y", {net.Input("cond", {})});
  ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  ir::Value& inner_a = net.rewriter().Capture(body, *a);
  ir::Value& inner_b = net.rewriter().Capture(body, *b);
  net.Node(body, "Add", "dead", {&inner_a, net.Init(body, "inner_w", {1})});
  ir::Node* live = net.Node(body, "Relu", "live", {&inner_b});
  net.rewriter().AddGraphOutput(body, live->output());
  net.Output(branch->output());
  const PassReport report = Eliminate(net);
  EXPECT_EQ(Statistic(report, "nodes"), 2);
  EXPECT_EQ(Statistic(report, "captures"), 1);
  EXPECT_EQ(Statistic(report, "initializers"), 1);
  EXPECT_EQ(Listing(net.graph()),
            "b = Neg(x)\ny = If(cond)\n  live = Relu(b)\n  return live\nreturn y\n");
  ASSERT_EQ(body.captures().size(), 1u);
  EXPECT_EQ(body.captures()[0]->Resolve(), b);
  EXPECT_FALSE(Eliminate(net).changed);
}

TEST(EliminateDeadNodes, ADeadOwnerGoesWithItsBodies) {
  GraphBuilder net;
  ir::Value* a = net.Op("Relu", "a", {net.Input("x")});
  ir::Node* branch = net.Node("If", "dead", {net.Input("cond", {})});
  ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  ir::Node* inner = net.Node(body, "Relu", "inner", {&net.rewriter().Capture(body, *a)});
  net.rewriter().AddGraphOutput(body, inner->output());
  net.Output(net.Op("Neg", "y", {net.graph().inputs()[0]}));
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(Listing(net.graph()), "y = Neg(x)\nreturn y\n");
}

TEST(EliminateDeadNodes, FunctionsAreVisited) {
  GraphBuilder net;
  ir::Function& function =
      net.rewriter().AddFunction(net.model().Intern("own"), net.model().Intern("F"), {});
  ir::Graph& body = function.body();
  ir::Value* x = net.Input(body, "fx", {1});
  net.Node(body, "Relu", "dead", {x});
  net.rewriter().AddGraphOutput(body, net.Node(body, "Neg", "fy", {x})->output());
  EXPECT_TRUE(Eliminate(net).changed);
  EXPECT_EQ(Listing(body), "fy = Neg(fx)\nreturn fy\n");
}

// 200,000 dead nodes in one chain, each with a constant of its own: anything but linear cost would
// be felt, and recursion along the chain would end the process.
TEST(EliminateDeadNodes, LongChainsAreCheap) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* value = x;
  for (int i = 0; i < 200000; ++i) {
    const std::string name = "n" + std::to_string(i);
    value = net.Op("Add", name, {value, net.Init("w" + name, {1})});
  }
  net.Output(net.Op("Relu", "y", {x}));
  const PassReport report = Eliminate(net);
  EXPECT_EQ(Statistic(report, "nodes"), 200000);
  EXPECT_EQ(Statistic(report, "initializers"), 200000);
  EXPECT_EQ(Listing(net.graph()), "y = Relu(x)\nreturn y\n");
}

}  // namespace
}  // namespace lathe::passes
