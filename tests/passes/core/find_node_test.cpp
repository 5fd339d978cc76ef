#include "lathe/passes/core/find_node.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

class FindNodeTest : public testing::Test {
 protected:
  // The operator of what is found, or the error.
  std::string Find(std::string_view name) {
    const StatusOr<ir::Node*> node = FindNode(net_.model(), name);
    return node.ok() ? std::string((*node)->op_text()) : FormatError(node.status());
  }
  GraphBuilder net_;
};

TEST_F(FindNodeTest, NamesOriginsAndOutputsInThisOrder) {
  ir::Node* split = net_.Node("Split", "s", {net_.Input("x")}, {}, 2);
  ir::Node* relu = net_.Node("Relu", "act", {split->outputs()[1]});
  net_.rewriter().Rename(*relu, net_.model().Intern("renamed"));
  net_.Output(net_.Op("Neg", "renamed.too", {relu->output()}));
  EXPECT_EQ(Find("s"), "Split");
  EXPECT_EQ(Find("s.output1"), "Split");
  EXPECT_EQ(Find("renamed"), "Relu");
  EXPECT_EQ(Find("act"), "Relu");
  EXPECT_EQ(Find("renamed.too"), "Neg");
}

TEST_F(FindNodeTest, NodesWithoutANameAreCalledByTheirNumber) {
  ir::Node* relu = net_.Node("Relu", "act", {net_.Input("x")});
  net_.rewriter().Rename(*relu, {});
  net_.rewriter().SetOrigin(*relu, {});
  EXPECT_EQ(Find(relu->display_name()), "Relu");
  EXPECT_EQ(Find("act"), "Relu");
}

TEST_F(FindNodeTest, WhatNoNodeComputesIsNone) {
  net_.Output(net_.Op("Relu", "act", {net_.Input("in")}));
  EXPECT_EQ(Find("in"), "the model has no node or node's output 'in'");
  EXPECT_EQ(Find("acc"), "the model has no node or node's output 'acc'; did you mean 'act'?");
  EXPECT_EQ(Find(""), "the model has no node or node's output ''");
}

}  // namespace
}  // namespace lathe::passes
