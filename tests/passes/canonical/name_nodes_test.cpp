#include "lathe/passes/canonical/name_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

PassReport NameNodes(GraphBuilder& net) { return RunPass(net.model(), "name-nodes"); }

std::vector<std::string> Names(const ir::Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Node& node : graph.nodes()) names.emplace_back(node.name_text());
  return names;
}

// A chain of nodes with these names.
void Chain(GraphBuilder& net, const std::vector<std::string>& names) {
  ir::Value* value = net.Input("x");
  for (size_t i = 0; i < names.size(); ++i) {
    ir::Node* node = net.Node("Relu", "v" + std::to_string(i), {value});
    net.rewriter().Rename(*node, net.model().Intern(names[i]));
    value = node->output();
  }
  net.Output(value);
}

TEST(NameNodes, NamelessNodesAreCalledByTheirPlace) {
  GraphBuilder net;
  Chain(net, {"", "b", ""});
  const PassReport report = NameNodes(net);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "named"), 2);
  EXPECT_THAT(Names(net.graph()), ElementsAre("node_0", "b", "node_2"));
  // Values keep their names: they are what other files refer to.
  EXPECT_EQ(Listing(net.graph()), "v0 = Relu(x)\nv1 = Relu(v0)\nv2 = Relu(v1)\nreturn v2\n");
  EXPECT_FALSE(NameNodes(net).changed);
}

TEST(NameNodes, OfEqualNamesTheFirstStays) {
  GraphBuilder net;
  Chain(net, {"a", "a", "b", "a"});
  EXPECT_EQ(Statistic(NameNodes(net), "named"), 2);
  const std::vector<std::string> names = Names(net.graph());
  EXPECT_EQ(names[0], "a");
  EXPECT_EQ(names[2], "b");
  EXPECT_TRUE(names[1].starts_with("a") && names[3].starts_with("a"));
  EXPECT_TRUE(names[1] != "a" && names[3] != "a" && names[1] != names[3]);
}

TEST(NameNodes, ANameThatIsTakenIsNotGivenAgain) {
  GraphBuilder net;
  Chain(net, {"node_1", ""});
  EXPECT_TRUE(NameNodes(net).changed);
  const std::vector<std::string> names = Names(net.graph());
  EXPECT_EQ(names[0], "node_1");
  EXPECT_NE(names[1], "node_1");
  EXPECT_FALSE(names[1].empty());
}

TEST(NameNodes, GoodNamesStay) {
  GraphBuilder net;
  Chain(net, {"a", "b"});
  const PassReport report = NameNodes(net);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Statistic(report, "named"), 0);
}

TEST(NameNodes, NodesOfBodiesComeAfterThoseOfTheMainGraph) {
  GraphBuilder net;
  ir::Node* branch = net.Node("If", "if", {net.Input("c", {})});
  ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  ir::Node* nameless = net.Node(body, "Constant", "k", {}, {{"value_float", 1.0f}});
  ir::Node* twin = net.Node(body, "Relu", "after", {nameless->output()});
  net.rewriter().AddGraphOutput(body, twin->output());
  net.rewriter().Rename(*nameless, net.model().Intern(""));
  net.rewriter().Rename(*twin, net.model().Intern("last"));
  ir::Node* last = net.Node("Relu", "v", {branch->output()});
  net.rewriter().Rename(*last, net.model().Intern("last"));
  net.Output(last->output());
  EXPECT_EQ(Statistic(NameNodes(net), "named"), 2);
  EXPECT_THAT(Names(net.graph()), ElementsAre("if", "last"));
  EXPECT_EQ(nameless->name_text(), "if/node_0");
  EXPECT_TRUE(twin->name_text().starts_with("last") && twin->name_text() != "last");
  EXPECT_FALSE(NameNodes(net).changed);
}

}  // namespace
}  // namespace lathe::passes
