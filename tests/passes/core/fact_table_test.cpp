#include "lathe/passes/core/fact_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

struct ConvNet : GraphBuilder {
  ir::Value* x = Input("x");
  ir::Value* w = Init("w", {2, 2, 1, 1});
  ir::Node* conv = Node("Conv", "c", {x, w});
  ir::Value* scale = Init("scale", {2});
};

TEST(Facts, EveryConstantHasAnEntry) {
  for (const std::string_view name :
       {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
        facts::kQuantPointsMarked, facts::kCalibrated, facts::kSearchNInserted,
        facts::kChannelsPruned, facts::kSparsityApplied, facts::kWeightsRounded,
        facts::kAscendLowered, facts::kFakeQuantLowered}) {
    ASSERT_NE(FindFact(name), nullptr) << name;
    EXPECT_FALSE(FindFact(name)->help.empty());
  }
  EXPECT_EQ(AllFacts().size(), 11u);
  EXPECT_EQ(FindFact("no-such-fact"), nullptr);
}

TEST(Facts, ConvBnFused) {
  ConvNet net;
  EXPECT_TRUE(FactHolds(net.model(), facts::kConvBnFused));
  ir::Value* y = net.Op("BatchNormalization", "bn",
                        {net.conv->output(), net.scale, net.scale, net.scale, net.scale});
  EXPECT_FALSE(FactHolds(net.model(), facts::kConvBnFused));
  // With a second consumer of the convolution it has to stay.
  net.Output(y);
  net.Output(net.conv->output());
  EXPECT_TRUE(FactHolds(net.model(), facts::kConvBnFused));
}

TEST(Facts, WeightsFolded) {
  ConvNet net;
  EXPECT_TRUE(FactHolds(net.model(), facts::kWeightsFolded));
  ir::Value* transposed = net.Op("Transpose", "t", {net.Init("v", {2, 2})});
  ir::Value* product = net.Op("MatMul", "m", {net.x, net.x});
  EXPECT_TRUE(FactHolds(net.model(), facts::kWeightsFolded));
  net.Op("MatMul", "m2", {product, transposed});
  EXPECT_FALSE(FactHolds(net.model(), facts::kWeightsFolded));
}

TEST(Facts, SharedWeightsAreNotFolded) {
  ConvNet net;
  net.Node("Conv", "c2", {net.x, net.w});
  EXPECT_FALSE(FactHolds(net.model(), facts::kWeightsFolded));
}

TEST(Facts, QuantPointsMarked) {
  ConvNet net;
  EXPECT_FALSE(FactHolds(net.model(), facts::kQuantPointsMarked));
  net.rewriter().SetAnnotation(net.conv->inputs()[0], net.model().Intern("quant"));
  EXPECT_TRUE(FactHolds(net.model(), facts::kQuantPointsMarked));
}

TEST(Facts, ShapesInferred) {
  ConvNet net;
  EXPECT_FALSE(FactHolds(net.model(), facts::kShapesInferred));
  net.rewriter().SetType(*net.conv->output(), net.x->type_ref());
  EXPECT_TRUE(FactHolds(net.model(), facts::kShapesInferred));
  net.rewriter().SetType(
      *net.conv->output(),
      net.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, ir::Shape{ir::Dim()})));
  EXPECT_FALSE(FactHolds(net.model(), facts::kShapesInferred));
}

TEST(Facts, StoredOnesAreReadAndWritten) {
  GraphBuilder builder;
  builder.rewriter().MutableInfo().metadata = {{"author", "me"}};
  EXPECT_FALSE(FactHolds(builder.model(), facts::kCalibrated));
  StoreFacts(builder.rewriter(), {"sparsity-applied", "calibrated"});
  EXPECT_THAT(builder.model().info().metadata,
              ElementsAre(std::pair<std::string, std::string>("author", "me"),
                          std::pair<std::string, std::string>("lathe.facts",
                                                              "calibrated,sparsity-applied")));
  EXPECT_TRUE(FactHolds(builder.model(), facts::kCalibrated));
  EXPECT_FALSE(FactHolds(builder.model(), facts::kSearchNInserted));
  StoreFacts(builder.rewriter(), {});
  EXPECT_EQ(builder.model().info().metadata.size(), 1u);
  // A file can hold anything.
  builder.rewriter().MutableInfo().metadata = {{"lathe.facts", ",,calibrated,"}};
  EXPECT_THAT(StoredFacts(builder.model()), ElementsAre("calibrated"));
}

}  // namespace
}  // namespace lathe::passes
