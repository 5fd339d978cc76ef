#include "lathe/flows/activation_memory.h"

#include <gtest/gtest.h>

#include "../passes/graph_builder.h"
#include "lathe/ir/schema/infer_shapes.h"

namespace lathe::flows {
namespace {

constexpr uint64_t kImage = uint64_t{4} * 16 * 8 * 8;

class Activations : public ::testing::Test {
 protected:
  ActivationMemory Estimate(bool observed = false) {
    EXPECT_TRUE(ir::InferShapes(graph_.rewriter(), {.list_types = true}).ok());
    std::vector<passes::QuantLayer> layers;
    if (observed) layers = passes::ScanLayers(graph_.model()).layers;
    const auto memory = EstimateActivations(graph_.model(), layers);
    EXPECT_TRUE(memory.ok()) << memory.status();
    return memory.ok() ? *memory : ActivationMemory{};
  }

  ir::Value* Conv(const std::string& name, ir::Value* x, int64_t out, int64_t in) {
    return graph_.Op("Conv", name, {x, graph_.Init(name + ".w", {out, in, 1, 1})});
  }

  passes::GraphBuilder graph_;
};

TEST_F(Activations, AValueLivesUntilItsLastUse) {
  ir::Value* const a = Conv("a", graph_.Input("x", {1, 16, 8, 8}), 16, 16);
  ir::Value* const b = Conv("b", a, 32, 16);
  graph_.Output(Conv("c", b, 16, 32));
  const ActivationMemory memory = Estimate();
  EXPECT_EQ(memory.peak, 3 * kImage);
  EXPECT_EQ(memory.node, "b");
  EXPECT_EQ(memory.inputs, kImage);
  EXPECT_EQ(memory.outputs, kImage);
}

TEST_F(Activations, ABranchKeepsItsValue) {
  ir::Value* const a = Conv("a", graph_.Input("x", {1, 16, 8, 8}), 16, 16);
  ir::Value* const b = Conv("b", a, 16, 16);
  graph_.Output(graph_.Op("Add", "sum", {Conv("c", b, 16, 16), a}));
  EXPECT_EQ(Estimate().peak, 3 * kImage);
}

TEST_F(Activations, WhatWorksInPlaceTakesNothing) {
  ir::Value* const a = Conv("a", graph_.Input("x", {1, 16, 8, 8}), 16, 16);
  graph_.Output(graph_.Op("Relu", "r", {a}));
  EXPECT_EQ(Estimate().peak, kImage);
}

TEST_F(Activations, AValueThatIsUsedAgainIsNotOverwritten) {
  ir::Value* const a = Conv("a", graph_.Input("x", {1, 16, 8, 8}), 16, 16);
  graph_.Output(graph_.Op("Add", "sum", {graph_.Op("Relu", "r", {a}), a}));
  EXPECT_EQ(Estimate().peak, 3 * kImage);
}

TEST_F(Activations, ChannelsOfImagesArePadded) {
  graph_.Output(Conv("a", graph_.Input("x", {1, 16, 8, 8}), 1, 16));
  EXPECT_EQ(Estimate().peak, kImage);
}

TEST_F(Activations, ObserversSeeACopy) {
  ir::Value* const a = Conv("a", graph_.Input("x", {1, 16, 8, 8}), 16, 16);
  graph_.Output(Conv("b", a, 16, 16));
  EXPECT_EQ(Estimate().peak, 2 * kImage);
  EXPECT_EQ(Estimate(true).peak, 3 * kImage);
}

TEST_F(Activations, AnUnknownShapeIsAnError) {
  ir::Value* const x = graph_.Input("x", {1, 16, 8, 8});
  graph_.Output(graph_.Op("NonZero", "n", {x}));
  ASSERT_TRUE(ir::InferShapes(graph_.rewriter(), {.list_types = true}).ok());
  const auto memory = EstimateActivations(graph_.model(), {});
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(FormatError(memory.status()),
            "node 'n': the memory limit cannot be promised: the shape of 'n' is not known before "
            "the run (fix the inputs' shapes with --shape, or give no limit)");
}

}  // namespace
}  // namespace lathe::flows
