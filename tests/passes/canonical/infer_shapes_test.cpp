#include "lathe/passes/canonical/infer_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/core/fact_table.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

std::vector<int64_t> StaticShape(const ir::Value& value) {
  return value.type().StaticShape().value_or(std::vector<int64_t>{-1});
}

struct ConvNet : GraphBuilder {
  ir::Value* conv = Op("Conv", "c", {Input("x"), Init("w", {8, 2, 3, 3})});
  ir::Value* y = Op("Relu", "y", {conv});
  ConvNet() { Output(y); }
};

TEST(InferShapes, FillsInWhatFollows) {
  ConvNet net;
  EXPECT_FALSE(FactHolds(net.model(), facts::kShapesInferred));
  const PassReport report = RunPass(net.model(), "infer-shapes");
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(Statistic(report, "refined"), 2);
  EXPECT_EQ(Statistic(report, "unknown"), 0);
  EXPECT_THAT(StaticShape(*net.conv), ElementsAre(1, 8, 2, 2));
  EXPECT_THAT(StaticShape(*net.y), ElementsAre(1, 8, 2, 2));
  EXPECT_TRUE(FactHolds(net.model(), facts::kShapesInferred));
  EXPECT_FALSE(RunPass(net.model(), "infer-shapes").changed);
}

TEST(InferShapes, AxesOfTheOldestSqueezeMayComeInAnyOrder) {
  for (const std::vector<int64_t>& axes : {std::vector<int64_t>{0, 3}, {3, 0}}) {
    GraphBuilder net;
    net.rewriter().MutableInfo().opset_imports = {{"", 9}};
    ir::Value* y = net.Op("Squeeze", "y", {net.Input("x", {1, 2, 3, 1})}, {{"axes", axes}});
    net.Output(y);
    RunPass(net.model(), "infer-shapes");
    // Unknown rather than wrong.
    EXPECT_TRUE(!y->type().has_rank() || StaticShape(*y) == (std::vector<int64_t>{2, 3}));
  }
}

TEST(InferShapes, ListsTypesUnlessToldNotTo) {
  ConvNet listed;
  RunPass(listed.model(), "infer-shapes");
  EXPECT_FALSE(listed.graph().value_info().empty());
  ConvNet unlisted;
  EXPECT_TRUE(RunPass(unlisted.model(), "infer-shapes{list=false}").changed);
  EXPECT_TRUE(unlisted.graph().value_info().empty());
  // The types are known already; only the list is new.
  EXPECT_TRUE(RunPass(unlisted.model(), "infer-shapes").changed);
}

TEST(InferShapes, WhatIsKnownCanBeLeftOut) {
  ConvNet net;
  net.rewriter().SetType(
      *net.conv, net.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, {1, 8, 77, 77})));
  // The declared shape is wrong, and the Relu after it follows it.
  const PassReport report = RunPass(net.model(), "infer-shapes{skip-known=true}");
  EXPECT_EQ(Statistic(report, "refined"), 1);
  EXPECT_EQ(Statistic(report, "conflicts"), 0);
  EXPECT_THAT(StaticShape(*net.y), ElementsAre(1, 8, 77, 77));
  EXPECT_FALSE(RunPass(net.model(), "infer-shapes{skip-known=true}").changed);
  EXPECT_EQ(Statistic(RunPass(net.model(), "infer-shapes"), "conflicts"), 1);
}

TEST(InferShapes, ValuesOfKnownShapesAreStillFollowed) {
  GraphBuilder net;
  ir::Value* x = net.Input("x", {2, 3, 4});
  ir::Value* shape = net.Op("Shape", "s", {x});
  RunPass(net.model(), "infer-shapes");
  ir::Value* y = net.Op("Reshape", "y", {net.Input("z", {24}), shape});
  net.Output(y);
  EXPECT_TRUE(RunPass(net.model(), "infer-shapes{skip-known=true}").changed);
  EXPECT_THAT(StaticShape(*y), ElementsAre(2, 3, 4));
}

TEST(InferShapes, DeclaredOutputsStayUnlessTypesAreListed) {
  for (const bool list : {false, true}) {
    ConvNet net;
    const ir::Type* declared =
        net.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, std::nullopt));
    net.rewriter().SetType(*net.y, declared);
    EXPECT_EQ(RunPass(net.model(), fmt::format("infer-shapes{{list={}}}", list)).changed, list);
    EXPECT_EQ(net.y->type_ref() == declared, !list);
    EXPECT_THAT(StaticShape(*net.conv), ElementsAre(1, 8, 2, 2));
  }
}

TEST(InferShapes, TypesThatNoFileShowsAreNoChange) {
  const auto infer = [](ConvNet& net) { return RunPass(net.model(), "infer-shapes{list=false}"); };
  // The output says nothing of its type.
  ConvNet open;
  EXPECT_TRUE(infer(open).changed);
  ConvNet declared;
  declared.rewriter().SetType(*declared.y, declared.model().Intern(ir::Type::Tensor(
                                               ir::ElementType::kFloat32, {1, 8, 2, 2})));
  const PassReport report = infer(declared);
  EXPECT_EQ(Statistic(report, "refined"), 1);
  EXPECT_FALSE(report.changed);
  EXPECT_THAT(StaticShape(*declared.conv), ElementsAre(1, 8, 2, 2));
  ConvNet listed;
  listed.rewriter().SetType(
      *listed.y, listed.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, {1, 8, 2, 2})));
  ir::ValueInfo info;
  info.value = listed.conv;
  info.type = listed.conv->type_ref();
  listed.rewriter().AddValueInfo(listed.graph(), std::move(info));
  EXPECT_TRUE(infer(listed).changed);
}

// Types are worked out once for nodes that are alike; these are not.
TEST(InferShapes, NodesThatOnlyLookAlike) {
  GraphBuilder net;
  // Whose Mul follows values.
  net.rewriter().MutableInfo().opset_imports = {{"", 17}};
  ir::Value* x = net.Input("x", {2, 3});
  ir::Value* z = net.Input("z", {2, 3});
  ir::Value* like = net.Input("like", {1, 3});
  ir::Value* a = net.Op("Add", "a", {x, z});
  ir::Value* b = net.Op("Add", "b", {z, x});
  ir::Value* c = net.Op("Add", "c", {like, x});
  ir::Value* d = net.Op("Mul", "d", {like, like});
  ir::Value* s = net.Op("Shape", "s", {x});
  ir::Value* t = net.Op("Shape", "t", {like});
  // Shapes are of equal types, and differ by value.
  ir::Value* wide = net.Op("ConstantOfShape", "wide", {s});
  ir::Value* narrow = net.Op("ConstantOfShape", "narrow", {t});
  ir::Value* both = net.Op("ConstantOfShape", "both", {net.Op("Mul", "st", {s, t})});
  for (ir::Value* each : {a, b, c, d, wide, narrow, both}) net.Output(each);
  RunPass(net.model(), "infer-shapes");
  EXPECT_THAT(StaticShape(*a), ElementsAre(2, 3));
  EXPECT_THAT(StaticShape(*b), ElementsAre(2, 3));
  EXPECT_THAT(StaticShape(*c), ElementsAre(2, 3));
  EXPECT_THAT(StaticShape(*d), ElementsAre(1, 3));
  EXPECT_THAT(StaticShape(*wide), ElementsAre(2, 3));
  EXPECT_THAT(StaticShape(*narrow), ElementsAre(1, 3));
  EXPECT_THAT(StaticShape(*both), ElementsAre(2, 9));
}

TEST(InferShapes, OmittedOutputsAreNoValues) {
  GraphBuilder net;
  ir::Node* gru = net.Node(
      "GRU", "g", {net.Input("x", {3, 1, 2}), net.Init("w", {1, 12, 2}), net.Init("r", {1, 12, 4})},
      {{"hidden_size", int64_t{4}}}, 2);
  net.rewriter().Rename(*gru->output(0), ir::Name{});
  net.Output(gru->output(1));
  const PassReport report = RunPass(net.model(), "infer-shapes");
  EXPECT_EQ(Statistic(report, "refined"), 1);
  EXPECT_THAT(StaticShape(*gru->output(1)), ElementsAre(1, 1, 4));
}

TEST(InferShapes, UnknownOperatorsLeaveShapesUnknown) {
  GraphBuilder net;
  ir::Node* custom = net.Node("Mystery", "m", {net.Input("x")});
  net.rewriter().SetOperator(*custom, "Mystery", "vendor");
  net.Output(custom->output());
  const PassReport report = RunPass(net.model(), "infer-shapes{list=false}");
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(Statistic(report, "unknown"), 1);
}

TEST(InferShapes, AContradictionIsARemarkOrAnError) {
  ConvNet net;
  net.rewriter().SetType(
      *net.conv, net.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, {1, 9, 2, 2})));
  const PassReport report = RunPass(net.model(), "infer-shapes");
  EXPECT_EQ(Statistic(report, "conflicts"), 1);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].node, "c");
  EXPECT_THAT(StaticShape(*net.conv), ElementsAre(1, 9, 2, 2));

  PassRegistry registry;
  ASSERT_TRUE(RegisterAllPasses(registry).ok());
  const Status status = RunPipeline(net.model(), "infer-shapes{strict=true}", registry).status();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(GetContext(status, ErrorContext::kNode), "c") << FormatError(status);
  EXPECT_EQ(GetContext(status, ErrorContext::kPass), "infer-shapes");
}

}  // namespace
}  // namespace lathe::passes
