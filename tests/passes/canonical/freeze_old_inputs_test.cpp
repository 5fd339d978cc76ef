#include <gtest/gtest.h>

#include "lathe/passes/canonical/freeze_inputs.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

// y = Add(x, w), where w is an input with a default.
void Build(GraphBuilder& net, int64_t ir_version) {
  net.rewriter().MutableInfo().ir_version = ir_version;
  ir::Value* x = net.Input("x", {});
  ir::Value* w = net.Input("w", {});
  net.rewriter().SetDefault(*w, ir::Tensor::Scalar(2.0f));
  net.Output(net.Op("Add", "y", {x, w}));
}

TEST(FreezeOldInputs, NewModelsKeepTheirs) {
  for (const int64_t version : {3, 4}) {
    GraphBuilder net;
    Build(net, version);
    EXPECT_EQ(RunPass(net.model(), "freeze-inputs{old-only=true}").changed, version == 3);
    EXPECT_EQ(net.graph().inputs().size(), version == 3 ? 1u : 2u);
    EXPECT_EQ(net.model().info().ir_version, 4);
    EXPECT_FALSE(RunPass(net.model(), "freeze-inputs{old-only=true}").changed);
  }
}

TEST(FreezeOldInputs, AnOldModelMayGetConstants) {
  GraphBuilder net;
  net.rewriter().MutableInfo().ir_version = 3;
  net.Output(net.Op("Neg", "y", {net.Input("x")}));
  EXPECT_FALSE(RunPass(net.model(), "freeze-inputs").changed);
  EXPECT_TRUE(RunPass(net.model(), "freeze-inputs{old-only=true}").changed);
  EXPECT_EQ(net.model().info().ir_version, 4);
}

}  // namespace
}  // namespace lathe::passes
