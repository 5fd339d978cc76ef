// QuantizeLinear in OpenVINO's graphs: the operator's own rounding, whatever stands around it.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "lathe/runtime/openvino/engine.h"

namespace lathe::runtime {
namespace {

using ir::ElementType;
using ir::Tensor;
using test::GraphBuilder;
using ::testing::ElementsAre;

Tensor Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return Tensor::Of<float>(std::move(dims), values);
}

StatusOr<Tensor> Infer(const GraphBuilder& graph, const Tensor& input) {
  LATHE_ASSIGN_OR_RETURN(const auto compiled, MakeOpenVinoEngine()->Compile(*graph.model, {}));
  LATHE_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, compiled->Run({&input, 1}));
  return outputs.at(0);
}

class QuantizeOp : public ::testing::Test {
 protected:
  template <typename T>
  ir::Value& Quantize(ir::Value& x, std::vector<int64_t> dims, std::vector<float> scales,
                      std::vector<T> zero_points, int64_t axis = 1) {
    return graph_.Node("QuantizeLinear", "q",
                       {&x, &graph_.Constant("scale", Floats(dims, std::move(scales))),
                        &graph_.Constant("zero", Tensor::Of<T>(dims, zero_points))},
                       {{"axis", axis}});
  }
  template <typename T>
  std::vector<T> Values(const Tensor& input) {
    const auto result = Infer(graph_, input);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result->Values<T>() : std::vector<T>{};
  }

  GraphBuilder graph_;
};

TEST_F(QuantizeOp, RoundsHalfToEvenAndSaturates) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ir::Value& x = graph_.Input("x", {9});
  graph_.Output(Quantize<uint8_t>(x, {}, {2.0f}, {3}), ElementType::kUint8);
  EXPECT_THAT(Values<uint8_t>(Floats({9}, {1, 3, 5, -7, -9, 504, 506, kInfinity, -1e30f})),
              ElementsAre(3, 5, 5, 0, 0, 255, 255, 255, 0));
}

TEST_F(QuantizeOp, DividesAndDoesNotMultiplyByTheReciprocal) {
  // All multiples and a half of scales near which x / s and x * (1 / s) round to different sides.
  constexpr int kCount = 4096;
  const float scale = 0.0470588244497776f;
  std::vector<float> values;
  std::vector<int8_t> want;
  size_t different = 0;
  for (int i = 0; i < kCount; ++i) {
    values.push_back(std::nextafter((static_cast<float>(i % 254) - 126.5f) * scale,
                                    i % 3 == 0 ? 0.0f : static_cast<float>(i)));
    const float divided = std::nearbyint(values.back() / scale);
    different += divided != std::nearbyint(values.back() * (1 / scale));
    want.push_back(static_cast<int8_t>(divided));
  }
  ASSERT_GT(different, 0U);
  ir::Value& x = graph_.Input("x", {kCount});
  graph_.Output(Quantize<int8_t>(x, {}, {scale}, {0}), ElementType::kInt8);
  EXPECT_EQ(Values<int8_t>(Floats({kCount}, values)), want);
}

TEST_F(QuantizeOp, FactorsForEachChannel) {
  ir::Value& x = graph_.Input("x", {2, 2, 3});
  const Tensor input = Floats({2, 2, 3}, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6});
  graph_.Output(Quantize<int8_t>(x, {2}, {1, 0.5f}, {0, -10}, -2), ElementType::kInt8);
  EXPECT_THAT(Values<int8_t>(input), ElementsAre(1, 2, 3, -8, -6, -4, 4, 5, 6, -2, 0, 2));
}

// OpenVINO's own form of this came out at 2.6 dB.
TEST_F(QuantizeOp, BehindAMultiplicationByAConstantAChannel) {
  ir::Value& x = graph_.Input("x", {1, 4, 3});
  ir::Value& scaled =
      graph_.Node("Mul", "mul", {&x, &graph_.Constant("factors", Floats({3}, {0.5f, 1, 2}))});
  ir::Value& q = Quantize<int8_t>(scaled, {}, {0.25f}, {5});
  graph_.Output(
      graph_.Node("DequantizeLinear", "dq", {&q, q.producer()->input(1), q.producer()->input(2)}));
  const Tensor input = Floats({1, 4, 3}, {1, 1, 1, -1, -1, -1, 2, 2, 2, 7, 7, 7});
  EXPECT_THAT(Values<float>(input), ElementsAre(0.5f, 1, 2, -0.5f, -1, -2, 1, 2, 4, 3.5f, 7, 14));
}

TEST_F(QuantizeOp, IntegersAreQuantisedToo) {
  ir::Value& x = graph_.Input("x", {3}, ElementType::kInt32);
  graph_.Output(Quantize<uint8_t>(x, {}, {2.0f}, {1}), ElementType::kUint8);
  EXPECT_THAT(Values<uint8_t>(Tensor::Of<int32_t>({3}, std::vector<int32_t>{3, 5, 4000})),
              ElementsAre(3, 3, 255));
}

TEST_F(QuantizeOp, EmptyTensors) {
  graph_.Output(Quantize<uint8_t>(graph_.Input("x", {2, 0, 3}), {3}, {1, 2, 3}, {0, 0, 0}, 2),
                ElementType::kUint8);
  EXPECT_TRUE(Values<uint8_t>(Floats({2, 0, 3}, {})).empty());
}

TEST_F(QuantizeOp, OtherTypesAreLeftToOpenVino) {
  graph_.Output(Quantize<int16_t>(graph_.Input("x", {3}), {}, {0.5f}, {7}), ElementType::kInt16);
  EXPECT_THAT(Values<int16_t>(Floats({3}, {100, -1, 1e9f})), ElementsAre(207, 5, 32767));
}

TEST_F(QuantizeOp, FactorsThatDoNotFitAreRefused) {
  graph_.Output(Quantize<int8_t>(graph_.Input("x", {2, 3}), {2}, {1, 2}, {0, 0}),
                ElementType::kInt8);
  const auto result = Infer(graph_, Floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(
      FormatError(result.status()),
      "node 'q': OpenVINO cannot run operator QuantizeLinear: factors [2] do not fit axis 1 of "
      "[2,3]");
}

}  // namespace
}  // namespace lathe::runtime
