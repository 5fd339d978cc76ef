#include "pow_to_mul.h"

#include <gtest/gtest.h>

#include "lathe/passes/core/pass_manager.h"
#include "lathe/passes/instrument/check_changed.h"
#include "lathe/passes/instrument/verify_each.h"
#include "lathe/tests/passes/graph_builder.h"

namespace example {
namespace {

using lathe::passes::GraphBuilder;

// What the pass makes of the net. The verifier looks at it before and after, and "changed" must be
// true exactly when something did.
std::string After(GraphBuilder& net, const std::string& pipeline = "pow-to-mul") {
  lathe::passes::PassRegistry registry;
  EXPECT_TRUE(registry.Add(PowToMulPass()).ok());
  lathe::passes::CheckChanged check_changed;
  lathe::passes::VerifyEach verify;
  lathe::passes::PassManagerOptions options;
  options.observers = {&check_changed, &verify};
  const auto report =
      lathe::passes::RunPipeline(net.model(), pipeline, registry, {}, std::move(options));
  if (!report.ok()) return lathe::FormatError(report.status());
  return lathe::passes::Listing(net.graph());
}

TEST(PowToMul, ASquareBecomesAProduct) {
  GraphBuilder net;
  net.Output(net.Op("Pow", "y", {net.Input("x"), net.Init("two", {}, 2)}));
  EXPECT_EQ(After(net), "y = Mul(x, x)\nreturn y\n");
}

TEST(PowToMul, OtherExponentsStay) {
  GraphBuilder net;
  net.Output(net.Op("Pow", "y", {net.Input("x"), net.Init("three", {}, 3)}));
  EXPECT_EQ(After(net), "y = Pow(x, three)\nreturn y\n");
}

TEST(PowToMul, AnExponentWithDimensionsStays) {
  GraphBuilder net;
  net.Output(net.Op("Pow", "y", {net.Input("x"), net.Init("twos", {1, 1, 1, 1, 1}, 2)}));
  EXPECT_EQ(After(net), "y = Pow(x, twos)\nreturn y\n");
}

TEST(PowToMul, AnExponentThatIsComputedStays) {
  GraphBuilder net;
  net.Output(net.Op("Pow", "y", {net.Input("x"), net.Input("e", {})}));
  EXPECT_EQ(After(net), "y = Pow(x, e)\nreturn y\n");
}

TEST(PowToMul, ABaseOfUnknownTypeStays) {
  GraphBuilder net;
  lathe::ir::Value* x = net.Op("Custom", "x", {net.Input("in")});
  net.Output(net.Op("Pow", "y", {x, net.Init("two", {}, 2)}));
  EXPECT_EQ(After(net), "x = Custom(in)\ny = Pow(x, two)\nreturn y\n");
}

TEST(PowToMul, SkippedNodesStay) {
  GraphBuilder net;
  net.Output(net.Op("Pow", "y", {net.Input("x"), net.Init("two", {}, 2)}));
  EXPECT_EQ(After(net, "pow-to-mul{skip=[y]}"), "y = Pow(x, two)\nreturn y\n");
}

}  // namespace
}  // namespace example
