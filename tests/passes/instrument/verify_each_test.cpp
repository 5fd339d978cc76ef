#include "lathe/passes/instrument/verify_each.h"

#include "lathe/tests/passes/instrument/observed_run.h"

namespace lathe::passes {
namespace {

using VerifyEachTest = ObservedRun;

TEST_F(VerifyEachTest, RunsFirstAndAfterEachPass) {
  Add(Sample("breaking", [](PassContext& context) -> StatusOr<bool> {
    context.rewriter().MutableInfo().doc = "broken";
    return false;  // and does not even say so
  }));
  int checks = 0;
  VerifyEach verify([&](const ir::Model& model) {
    ++checks;
    if (model.info().doc.empty()) return OkStatus();
    return WithContext(InternalError("value has no producer"), ErrorContext::kNode, "conv1");
  });
  EXPECT_EQ(Run("idle,breaking,idle", {&verify}),
            "pass breaking: leaves a broken model: node 'conv1': value has no producer");
  EXPECT_EQ(checks, 3);
  EXPECT_EQ(Run("idle", {&verify}), "node 'conv1': value has no producer");
}

TEST_F(VerifyEachTest, AsksTheVerifierOfTheIr) {
  Add(Sample("breaking", [](PassContext& context) -> StatusOr<bool> {
    // Relu reads its own result.
    ir::Node& act = *context.model().graph().first_node();
    context.rewriter().SetInput(act, 0, act.output());
    return true;
  }));
  VerifyEach verify;
  EXPECT_EQ(Run("add-relu,idle", {&verify}), "");
  const std::string error = Run("breaking,idle", {&verify});
  EXPECT_TRUE(error.starts_with("pass breaking: leaves a broken model: node 'act': ")) << error;
}

}  // namespace
}  // namespace lathe::passes
