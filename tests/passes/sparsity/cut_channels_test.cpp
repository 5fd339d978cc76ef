#include "lathe/passes/sparsity/cut_channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/sparsity/cut_tensor.h"
#include "lathe/tests/passes/sparsity/sparse_net.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

struct Net : SparseNet {
  Net() {
    ir::Value* a = Norm("bn", Conv("a", Input("x", {1, 3, 2, 2}), 3, 4), 4);
    Output(Conv("last", Conv("grouped", a, 4, 8, 2), 8, 2));
    record.prune_records = Plan().records;
  }
  std::string Error() {
    const auto cut = CutChannels(rewriter(), record);
    return cut.ok() ? "no error" : FormatError(cut.status());
  }
  quant::PruneNode& Producer(size_t i) { return record.prune_records[i].producers[0]; }
  std::vector<int64_t> Dims(const std::string& name) {
    for (const ir::Value* value : graph().initializers()) {
      if (value->name_text() == name)
        return {value->tensor().dims().begin(), value->tensor().dims().end()};
    }
    return {};
  }

  quant::Record record;
};

constexpr std::string_view kHint = " (is it the record of another network?)";

TEST(CutChannels, WeightsBiasesAndShapes) {
  Net net;
  const auto cut = CutChannels(net.rewriter(), net.record);
  ASSERT_TRUE(cut.ok()) << FormatError(cut.status());
  EXPECT_EQ(cut->nodes, 4);
  EXPECT_EQ(cut->channels, 6);
  EXPECT_THAT(net.Dims("a.w"), ElementsAre(2, 3, 1, 1));
  EXPECT_THAT(net.Dims("a.b"), ElementsAre(2));
  EXPECT_THAT(net.Dims("bn.v"), ElementsAre(2));
  EXPECT_THAT(net.Dims("grouped.w"), ElementsAre(4, 1, 1, 1));
  EXPECT_THAT(net.Dims("last.w"), ElementsAre(2, 4, 1, 1));
  for (const ir::Node& node : net.graph().nodes()) {
    const auto shape = node.output()->type().StaticShape();
    ASSERT_TRUE(shape.has_value());
    EXPECT_EQ((*shape)[1], node.Is("BatchNormalization") || node.name_text() == "a" ? 2
                           : node.name_text() == "grouped"                          ? 4
                                                                                    : 2);
  }
}

TEST(CutChannels, ASecondTimeNothingHappens) {
  Net net;
  ASSERT_TRUE(CutChannels(net.rewriter(), net.record).ok());
  const auto again = CutChannels(net.rewriter(), net.record);
  ASSERT_TRUE(again.ok()) << FormatError(again.status());
  EXPECT_TRUE(again->was_applied);
  EXPECT_EQ(again->nodes, 0);
}

TEST(CutChannels, RecordsOfOtherNetworksAreRefused) {
  Net gone;
  gone.Producer(1).name = "groupd";
  EXPECT_EQ(gone.Error(),
            "prune_record 2, producer 'groupd': the model has no node of this name, did you mean "
            "'grouped'?" +
                std::string(kHint));
  Net other;
  other.Producer(0).attributes[0].s = "Gemm";
  EXPECT_EQ(other.Error(),
            "prune_record 1, producer 'a': the record says Gemm, the model has Conv" +
                std::string(kHint));
  Net larger;
  larger.Producer(0).attributes[2].i = 7;
  EXPECT_EQ(larger.Error(),
            "node 'a': the record counts 7 output channels and leaves 5, the model has 4" +
                std::string(kHint));
  Net beyond;
  beyond.Producer(1).attributes.back().ints = {0, 1, 6, 8};
  EXPECT_EQ(beyond.Error(),
            "prune_record 2, producer 'grouped': prune_index holds 8: indices ascend and stay in "
            "[0, 8)" +
                std::string(kHint));
}

TEST(CutChannels, GroupsThatDoNotDivideAreRefused) {
  Net net;
  net.Producer(1).attributes.back().ints = {0, 1, 2, 4};
  EXPECT_EQ(net.Error(), "node 'grouped': its 2 groups would lose different numbers of channels" +
                             std::string(kHint));
}

TEST(CutChannels, ContradictionsAreRefused) {
  Net net;
  // The normalisation keeps what the convolution loses.
  net.record.prune_records[0].consumers.erase(net.record.prune_records[0].consumers.begin());
  EXPECT_EQ(net.Error(),
            "node 'bn': of the channels that the record leaves it gets 2, and it takes 4" +
                std::string(kHint));
}

TEST(CutTensor, AnyAxisAnyType) {
  const ir::Tensor tensor = ir::Tensor::Of<int64_t>({2, 3}, std::vector<int64_t>{1, 2, 3, 4, 5, 6});
  const auto columns = RemoveAlongAxis(tensor, 1, {1});
  ASSERT_TRUE(columns.ok());
  EXPECT_THAT(*columns->ValuesAsInt64(), ElementsAreArray({1, 3, 4, 6}));
  const auto rows = RemoveAlongAxis(tensor, 0, {0});
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(*rows->ValuesAsInt64(), ElementsAreArray({4, 5, 6}));
  EXPECT_THAT(rows->dims(), ElementsAre(1, 3));
}

}  // namespace
}  // namespace lathe::passes
