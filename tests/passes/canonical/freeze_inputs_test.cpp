#include "lathe/passes/canonical/freeze_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

PassReport Freeze(GraphBuilder& net) { return RunPass(net.model(), "freeze-inputs"); }

// x and the weight are inputs; the weight has a default.
struct Net : GraphBuilder {
  ir::Value* weight = nullptr;
  Net() {
    ir::Value* x = Input("x");
    weight = Input("w", {2});
    Output(Op("Mul", "y", {x, weight}));
  }
  void GiveDefault() {
    rewriter().SetDefault(*weight, ir::Tensor::Of<float>({2}, std::vector<float>{1, 2}));
  }
};

std::vector<std::string> InputNames(const ir::Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Value* input : graph.inputs()) names.emplace_back(input->name_text());
  return names;
}

TEST(FreezeInputs, AnInputWithADefaultBecomesAConstant) {
  Net net;
  net.GiveDefault();
  net.rewriter().MutableInfo().ir_version = 3;
  const PassReport report = Freeze(net);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "frozen"), 1);
  EXPECT_THAT(InputNames(net.graph()), ElementsAre("x"));
  EXPECT_THAT(InitializerNames(net.graph()), ElementsAre("w"));
  EXPECT_THAT(*net.weight->tensor().Values<float>(), ElementsAre(1, 2));
  EXPECT_EQ(Listing(net.graph()), "y = Mul(x, w)\nreturn y\n");
  // Version 3 wants every initializer among the inputs.
  EXPECT_EQ(net.model().info().ir_version, 4);
  EXPECT_FALSE(Freeze(net).changed);
}

TEST(FreezeInputs, ALaterVersionOfTheFormatStays) {
  Net net;
  net.GiveDefault();
  net.rewriter().MutableInfo().ir_version = 9;
  EXPECT_TRUE(Freeze(net).changed);
  EXPECT_EQ(net.model().info().ir_version, 9);
}

TEST(FreezeInputs, InputsWithoutADefaultStay) {
  Net net;
  net.rewriter().MutableInfo().ir_version = 3;
  const PassReport report = Freeze(net);
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Statistic(report, "frozen"), 0);
  EXPECT_THAT(InputNames(net.graph()), ElementsAre("x", "w"));
  EXPECT_EQ(net.model().info().ir_version, 3);
}

TEST(FreezeInputs, ABodyGoesOnReadingTheConstant) {
  Net net;
  net.GiveDefault();
  ir::Node* branch = net.Node("If", "if", {net.Input("c", {})});
  ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  ir::Value& inner = net.rewriter().Capture(body, *net.weight);
  net.rewriter().AddGraphOutput(body, net.Node(body, "Neg", "n", {&inner})->output());
  net.Output(branch->output());
  EXPECT_TRUE(Freeze(net).changed);
  EXPECT_THAT(InputNames(net.graph()), ElementsAre("x", "c"));
  EXPECT_EQ(Listing(net.graph()),
            "y = Mul(x, w)\nif = If(c)\n  n = Neg(w)\n  return n\nreturn y, if\n");
}

}  // namespace
}  // namespace lathe::passes
