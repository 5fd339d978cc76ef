#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/config/record.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One layer with a weight 1, 2, 3, ...
struct Net : GraphBuilder {
  quant::QuantSettings settings;
  quant::Record record;
  Resources marking;
  Resources resources;
  ir::Value* weight = nullptr;
  ir::Node* node = nullptr;

  Net(const std::string& op, std::vector<int64_t> dims, std::vector<float> factors,
      std::vector<std::pair<std::string, int64_t>> attributes = {}) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values;
    for (int64_t i = 1; i <= count; ++i) values.push_back(static_cast<float>(i));
    weight = &rewriter().AddInitializer(graph(), model().Intern("w"),
                                        ir::Tensor::Of<float>(std::move(dims), values));
    ir::Value* out = Op(op, "layer", {Input("x"), weight});
    node = out->producer();
    for (const auto& [name, value] : attributes) rewriter().SetAttribute(*node, name, value);
    Output(out);
    settings.layers.push_back({.name = "layer"});
    record.entries.push_back({.key = "layer", .value = quant::LayerRecord{}});
    record.entries[0].value->tensor_balance_factor = std::move(factors);
    marking.Provide(&settings);
    resources.Provide(&record);
  }
  std::vector<float> Weights() const { return *weight->tensor().ValuesAsFloat(); }
  StatusOr<PipelineReport> Insert() {
    EXPECT_TRUE(RunWith(model(), "mark-quant-points", marking).ok());
    return RunWith(model(), "insert-balance", resources);
  }
};

TEST(BalanceWeights, ConvOfTwoGroups) {
  // [2, 2, 1, 1]: output 0 meets channels 0 and 1, output 1 channels 2 and 3.
  Net net("Conv", {2, 2, 1, 1}, {1, 10, 100, 1000}, {{"group", 2}});
  ASSERT_TRUE(RunWith(net.model(), "balance-weights", net.resources).ok());
  EXPECT_THAT(net.Weights(), ElementsAre(1, 20, 300, 4000));
}

TEST(BalanceWeights, ConvTransposeByItsFirstAxis) {
  Net net("ConvTranspose", {2, 2, 1, 1}, {1, 10});
  ASSERT_TRUE(RunWith(net.model(), "balance-weights", net.resources).ok());
  EXPECT_THAT(net.Weights(), ElementsAre(1, 2, 30, 40));
}

TEST(BalanceWeights, MatMulByRowsAndGemmByColumnsWhenTransposed) {
  Net matmul("MatMul", {2, 2}, {1, 10});
  ASSERT_TRUE(RunWith(matmul.model(), "balance-weights", matmul.resources).ok());
  EXPECT_THAT(matmul.Weights(), ElementsAre(1, 2, 30, 40));
  Net gemm("Gemm", {2, 2}, {1, 10}, {{"transB", 1}});
  ASSERT_TRUE(RunWith(gemm.model(), "balance-weights", gemm.resources).ok());
  EXPECT_THAT(gemm.Weights(), ElementsAre(1, 20, 3, 40));
}

TEST(BalanceWeights, WithoutFactorsNothingChanges) {
  Net net("MatMul", {2, 2}, {});
  ASSERT_TRUE(RunWith(net.model(), "balance-weights", net.resources).ok());
  EXPECT_THAT(net.Weights(), ElementsAre(1, 2, 3, 4));
}

TEST(BalanceWeights, RefusesFactorsOfAnotherNumber) {
  Net net("MatMul", {2, 2}, {1, 2, 3});
  EXPECT_THAT(FormatError(RunWith(net.model(), "balance-weights", net.resources).status()),
              HasSubstr("node 'layer': pass balance-weights: 3 balance factors are given for 2 "
                        "input channels"));
}

TEST(InsertBalance, DividesTheActivation) {
  Net net("Conv", {2, 2, 1, 1}, {4, 0.5f});
  const auto report = net.Insert();
  ASSERT_TRUE(report.ok()) << FormatError(report.status());
  const ir::Node* mul = net.node->input(0)->producer();
  ASSERT_TRUE(mul->Is("Mul"));
  EXPECT_EQ(mul->name_text(), "layer.mul");
  const ir::Tensor factors = mul->input(1)->ConstantTensor();
  EXPECT_THAT(factors.dims(), ElementsAre(1, 2, 1, 1));
  EXPECT_THAT(*factors.ValuesAsFloat(), ElementsAre(0.25f, 2));
  EXPECT_EQ(mul->input(1)->producer()->name_text(), "layer.tensor_balance_factor");
  EXPECT_EQ(MarkedLayers(net.model()).size(), 1u);
}

TEST(InsertBalance, LinearTakesFactorsOnItsLastAxis) {
  Net net("MatMul", {2, 3}, {4, 0.5f});
  ASSERT_TRUE(net.Insert().ok());
  EXPECT_THAT(net.node->input(0)->producer()->input(1)->ConstantTensor().dims(), ElementsAre(1, 2));
}

TEST(InsertBalance, NeedsMarks) {
  Net net("MatMul", {2, 3}, {4, 0.5f});
  EXPECT_THAT(FormatError(RunWith(net.model(), "insert-balance", net.resources).status()),
              HasSubstr("quant-points-marked"));
}

}  // namespace
}  // namespace lathe::passes
