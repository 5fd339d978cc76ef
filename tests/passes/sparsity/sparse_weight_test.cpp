#include "lathe/passes/sparsity/sparse_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/sparsity/sparse_net.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

QuantLayer Layer(SparseNet& net, std::string_view name) {
  for (const QuantLayer& layer : ScanLayers(net.model()).layers) {
    if (layer.name == name) return layer;
  }
  ADD_FAILURE() << "no layer " << name;
  return {};
}

quant::Record RecordOf(const quant::SelectiveMask& mask) {
  quant::Record record;
  record.prune_records = {{{}, {}, quant::MakeSelectiveNode(mask)}};
  return record;
}

// x -> MatMul [4, 2]: the columns 1..4 and 4..1.
struct Net : SparseNet {
  Net() {
    ir::Value* w = &rewriter().AddInitializer(
        graph(), model().Intern("w"),
        ir::Tensor::Of({4, 2}, std::vector<float>{1, 4, 2, 3, 3, 2, 4, 1}));
    Output(Op("MatMul", "fc", {Input("x", {1, 4}), w}));
  }
};

TEST(SparseWeight, MasksOfMatMulAreTransposed) {
  Net net;
  const auto mask = MakeSelectiveMask(Layer(net, "fc"), {});
  ASSERT_TRUE(mask.ok());
  EXPECT_THAT(mask->shape, ElementsAre(2, 4));
  EXPECT_THAT(mask->mask, ElementsAreArray({0, 0, 1, 1, 1, 1, 0, 0}));
  const auto elements = MaskInGraph(Layer(net, "fc"), *mask);
  ASSERT_TRUE(elements.ok());
  EXPECT_THAT(*elements, ElementsAreArray({0, 1, 0, 1, 1, 0, 1, 0}));
}

TEST(SparseWeight, MasksForTrainingComeAndGo) {
  Net net;
  const std::string before = Listing(net.graph());
  const auto mask = MakeSelectiveMask(Layer(net, "fc"), {});
  const auto layers = FindSparseLayers(net.model(), RecordOf(*mask));
  ASSERT_TRUE(layers.ok()) << FormatError(layers.status());
  ASSERT_EQ(layers->size(), 1U);
  ASSERT_TRUE(InsertMask(net.rewriter(), layers->front()).ok());
  EXPECT_EQ(Listing(net.graph()),
            "fc.wts_prune.output0 = Mul(w, fc.wts_mask)\n"
            "fc = MatMul(x, fc.wts_prune.output0)\nreturn fc\n");
  const auto masks = RemoveMasks(net.model());
  ASSERT_TRUE(masks.ok()) << FormatError(masks.status());
  EXPECT_THAT(masks->at("fc"), ElementsAreArray({0, 1, 0, 1, 1, 0, 1, 0}));
  EXPECT_EQ(Listing(net.graph()), before);
}

TEST(SparseWeight, RecordsThatDoNotFitAreRefused) {
  Net net;
  const auto error = [&](quant::SelectiveMask mask) {
    return FormatError(FindSparseLayers(net.model(), RecordOf(mask)).status());
  };
  EXPECT_EQ(error({"fd", {2, 4}, std::vector<uint8_t>(8)}),
            "prune_record 1, selective_prune 'fd': the model has no layer of this name whose "
            "weights can be pruned");
  EXPECT_EQ(error({"fc", {4, 2}, std::vector<uint8_t>(8)}),
            "prune_record 1, selective_prune 'fc': mask_shape is [4,2], the weight has [2,4]");
}

TEST(SparseWeight, ARecordBeforeTrainingGetsTheMaskOfTheWeight) {
  Net net;
  const auto layers = FindSparseLayers(net.model(), RecordOf({"fc", {2, 4}, {}}));
  ASSERT_TRUE(layers.ok()) << FormatError(layers.status());
  EXPECT_THAT(layers->front().elements, ElementsAreArray({0, 1, 0, 1, 1, 0, 1, 0}));
}

}  // namespace
}  // namespace lathe::passes
