#include "lathe/flows/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../passes/graph_builder.h"

namespace lathe::flows {
namespace {

using testing::HasSubstr;

// Batches of these extents, which nobody may load.
class Shapes : public frontends::BatchSource {
 public:
  explicit Shapes(std::vector<std::vector<int64_t>> batches) : batches_(std::move(batches)) {}
  size_t num_batches() const override { return batches_.size(); }
  int64_t samples(size_t i) const override { return batches_[i][0]; }
  std::vector<std::vector<int64_t>> shapes(size_t i) const override { return {batches_[i]}; }
  StatusOr<std::vector<ir::Tensor>> Load(size_t) const override {
    return InternalError("a plan reads no data");
  }

 private:
  std::vector<std::vector<int64_t>> batches_;
};

class MemoryPlan : public testing::Test {
 protected:
  // Layers "m0" and so on, each a product with a matrix of 64 x 64, on an input [free, 64].
  void Products(size_t count) {
    ir::Value* x = graph_.Input("x", {-1, 64});
    for (size_t i = 0; i < count; ++i) {
      const std::string name = fmt::format("m{}", i);
      x = graph_.Op("MatMul", name, {x, graph_.Init(name + ".w", {64, 64})});
      settings_.layers.push_back({.name = name, .type = quant::LayerType::kLinear});
    }
    graph_.Output(x);
  }

  StatusOr<size_t> Plan(uint64_t limit, const Shapes* measured = nullptr) {
    RunControl control;
    control.threads = 1;
    control.max_memory = limit;
    return PlanObserversPerPass(graph_.model(), settings_, data_, control, measured);
  }

  std::string Error(uint64_t limit, const Shapes* measured = nullptr) {
    const auto plan = Plan(limit, measured);
    return plan.ok() ? "fits" : FormatError(plan.status());
  }

  // The least limit that is accepted, by the refusal of a smaller one.
  double Least(const Shapes* measured = nullptr) {
    const std::string error = Error(1'000'000, measured);
    const size_t at = error.find("at least ");
    EXPECT_NE(at, std::string::npos) << error;
    return at == std::string::npos ? 0 : std::stod(error.substr(at + 9));
  }

  passes::GraphBuilder graph_;
  quant::QuantSettings settings_;
  Shapes data_{{{8, 64}}};
};

TEST_F(MemoryPlan, WithoutALimitAllAreObservedTogether) {
  Products(3);
  const auto plan = Plan(0);
  ASSERT_TRUE(plan.ok()) << FormatError(plan.status());
  EXPECT_EQ(*plan, SIZE_MAX);
}

TEST_F(MemoryPlan, WhatIsRefusedNamesItsPartsAndWhatToDo) {
  Products(3);
  EXPECT_THAT(Error(50'000'000),
              testing::MatchesRegex("the memory limit of 50.0 MB cannot be kept: the job takes at "
                                    "least [0-9.]+ MB, [0-9.]+ MB more \\(program and libraries "
                                    "[0-9.]+ MB, .*weights, 'm0.w' the largest, 0.1 MB.*\\) "
                                    "\\(give a higher limit or smaller batches\\)"));
}

TEST_F(MemoryPlan, TheLeastObservesOneAndMoreObservesMore) {
  Products(3);
  const auto least = static_cast<uint64_t>(Least() * 1e6) + 100'000;
  const auto one = Plan(least);
  ASSERT_TRUE(one.ok()) << FormatError(one.status());
  EXPECT_EQ(*one, 1u);
  EXPECT_THAT(Error(least - 200'000), HasSubstr("cannot be kept"));
  const auto more = Plan(least + 100'000'000);
  ASSERT_TRUE(more.ok()) << FormatError(more.status());
  EXPECT_GT(*more, 3u);
}

TEST_F(MemoryPlan, TheLargestBatchCounts) {
  Products(1);
  const double small = Least();
  settings_.batch_num = 2;
  data_ = Shapes({{8, 64}, {80'000, 64}});
  const double large = Least();
  // The input twice; what the layer computes, and a copy of what it reads.
  EXPECT_NEAR(large - small, 4 * 80'000 * 64 * 4 * 1.05 / 1e6, 8);
  // Batches that the job does not read do not count, those for measuring do.
  settings_.batch_num = 1;
  EXPECT_EQ(Least(), small);
  EXPECT_GE(Least(&data_), large);
}

TEST_F(MemoryPlan, WeightsCount) {
  graph_.Output(
      graph_.Op("MatMul", "m", {graph_.Input("x", {-1, 64}), graph_.Init("w", {64, 100'000})}));
  settings_.layers.push_back({.name = "m", .type = quant::LayerType::kLinear});
  data_ = Shapes({{1, 64}});
  // Two and a quarter copies of 25.6 MB, and what 64 x 64 take: less than a megabyte beside the
  // result.
  const double least = Least();
  EXPECT_GT(least, 2.25 * 25.6 + 100);
  EXPECT_LT(least, (2.25 * 25.6 + 100 + 15) * 1.05);
}

TEST_F(MemoryPlan, WhatIsNotCountedIsRefused) {
  Products(1);
  settings_.joint_quant = true;
  EXPECT_EQ(Error(1'000'000'000),
            "the memory limit cannot be promised: what joint_quant takes is not counted (take it "
            "out of the configuration, or give no limit)");
  settings_.joint_quant = false;
  settings_.tensors.push_back({.key = "m0:0"});
  EXPECT_THAT(Error(1'000'000'000), HasSubstr("what tensor_quantize takes is not counted"));
}

}  // namespace
}  // namespace lathe::flows
