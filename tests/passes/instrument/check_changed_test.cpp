#include "lathe/passes/instrument/check_changed.h"

#include "lathe/tests/passes/instrument/observed_run.h"

namespace lathe::passes {
namespace {

using CheckChangedTest = ObservedRun;

TEST_F(CheckChangedTest, TheTruthPasses) {
  CheckChanged check;
  EXPECT_EQ(Run("idle,add-relu,idle,add-relu", {&check}), "");
}

TEST_F(CheckChangedTest, AClaimThatNothingBacks) {
  CheckChanged check;
  EXPECT_EQ(Run("idle,busy", {&check}),
            "pass busy: says that it changed something, but the model is as it was");
}

TEST_F(CheckChangedTest, AChangeThatIsNotTold) {
  Add(Sample("renaming", [](PassContext& context) -> StatusOr<bool> {
    context.rewriter().Rename(*context.model().graph().first_node(),
                              context.model().Intern("renamed"));
    return false;
  }));
  CheckChanged check;
  EXPECT_EQ(Run("renaming", {&check}),
            "pass renaming: says that it changed nothing, but '%act = Relu(%x) name \\\"act\\\"' "
            "became '%act = Relu(%x) name \\\"renamed\\\" origin [\\\"act\\\"]'");
  Add(Sample("adding", [](PassContext& context) -> StatusOr<bool> {
    context.rewriter().MutableInfo().producer_name = "adding";
    return false;
  }));
  const std::string error = Run("adding", {&check});
  EXPECT_TRUE(error.starts_with("pass adding: says that it changed nothing, but ")) << error;
}

TEST_F(CheckChangedTest, TypesThatNoFileShowsAreNoChange) {
  // The result of "act" is an output, that of "inner" is not.
  ir::Value* inner = builder.Op("Relu", "inner", {builder.graph().inputs()[0]});
  builder.Op("Neg", "last", {inner});
  Add(Sample("typing-inner", [](PassContext& context) -> StatusOr<bool> {
    ir::Node& node = *context.model().graph().first_node()->next();
    context.rewriter().SetType(
        *node.output(), context.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, {7})));
    return false;
  }));
  Add(Sample("typing-output", [](PassContext& context) -> StatusOr<bool> {
    ir::Node& node = *context.model().graph().first_node();
    context.rewriter().SetType(
        *node.output(), context.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, {7})));
    return false;
  }));
  CheckChanged check;
  EXPECT_EQ(Run("typing-inner", {&check}), "");
  const std::string error = Run("typing-output", {&check});
  EXPECT_TRUE(error.starts_with("pass typing-output: says that it changed nothing, but '%act"))
      << error;
  // What value_info lists is shown.
  builder.rewriter().SetType(*inner, builder.model().unknown_type());
  ir::ValueInfo info;
  info.value = inner;
  info.type = inner->type_ref();
  builder.rewriter().AddValueInfo(builder.graph(), std::move(info));
  EXPECT_NE(Run("typing-inner", {&check}), "");
}

TEST_F(CheckChangedTest, LargeWeightsThatAreReplaced) {
  ir::Value* weight = builder.Init("w", {100});
  builder.Output(builder.Op("Add", "sum", {weight, weight}));
  Add(Sample("replacing", [](PassContext& context) -> StatusOr<bool> {
    ir::Value* value = context.model().graph().initializers()[0];
    context.rewriter().SetTensor(*value, ir::Tensor::Of({100}, std::vector<float>(100, 2.0F)));
    return false;
  }));
  CheckChanged check;
  EXPECT_EQ(Run("idle,replacing", {&check}),
            "pass replacing: says that it changed nothing, but weights refer to other data");
}

}  // namespace
}  // namespace lathe::passes
