#include "lathe/flows/compare_models.h"

#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "../runtime/graphs.h"
#include "lathe/runtime/engine.h"

namespace lathe::flows {
namespace {

using test::GraphBuilder;

class OneBatch : public frontends::BatchSource {
 public:
  explicit OneBatch(std::vector<ir::Tensor> inputs) : inputs_(std::move(inputs)) {}
  size_t num_batches() const override { return 2; }
  int64_t samples(size_t) const override { return 1; }
  std::vector<std::vector<int64_t>> shapes(size_t) const override {
    std::vector<std::vector<int64_t>> shapes;
    for (const ir::Tensor& input : inputs_) {
      shapes.emplace_back(input.dims().begin(), input.dims().end());
    }
    return shapes;
  }
  StatusOr<std::vector<ir::Tensor>> Load(size_t) const override { return inputs_; }

 private:
  std::vector<ir::Tensor> inputs_;
};

OneBatch Data() { return OneBatch({ir::Tensor::Of({1, 4}, std::vector<float>{1, 0, -2, 100})}); }

StatusOr<std::vector<LayerDifference>> Compare(const GraphBuilder& a, const GraphBuilder& b) {
  const auto engine = runtime::MakeEngine();
  return CompareModels({*a.model, "a.onnx"}, {*b.model, "b.onnx"}, Data(), *engine,
                       {.threads = 1, .input_shapes = {}, .progress = {}, .interrupted = {}});
}

std::string CompareError(const GraphBuilder& a, const GraphBuilder& b) {
  const auto differences = Compare(a, b);
  return differences.ok() ? "compared" : FormatError(differences.status());
}

// x -> mul -> fc: y = factor * (x0 + x1, x2 + x3).
void BuildFloat(GraphBuilder& graph, float factor = 2) {
  ir::Value& x = graph.Input("x", {1, 4});
  ir::Value& y = graph.Node("Mul", "mul", {&x, &graph.Constant("f", ir::Tensor::Scalar(factor))});
  const std::vector<float> w = {1, 0, 1, 0, 0, 1, 0, 1};
  graph.Output(graph.Node("MatMul", "fc", {&y, &graph.Constant("w", ir::Tensor::Of({4, 2}, w))}));
}

// The same with fc quantised: steps of 0.5, so that 2 * 100 is cut off at 127 / 2.
void BuildDeploy(GraphBuilder& graph, float offset) {
  ir::Value& x = graph.Input("x", {1, 4});
  ir::Value& y = graph.Node("Mul", "mul", {&x, &graph.Constant("f", ir::Tensor::Scalar(2.0f))});
  ir::Value& q =
      graph.Node("AscendQuant", "fc.quant", {&y},
                 {{"scale", 2.0f}, {"offset", offset}, {"dst_type", std::string("INT8")}});
  const std::vector<int8_t> w = {1, 0, 1, 0, 0, 1, 0, 1};
  ir::Value& sums =
      graph.Node("MatMul", "fc", {&q, &graph.Constant("w", ir::Tensor::Of({4, 2}, w))});
  const std::vector<uint64_t> words = {std::bit_cast<uint32_t>(0.5f)};
  ir::Value& param = graph.Constant("param", ir::Tensor::Of({1}, words));
  graph.Output(graph.Node("AscendDequant", "fc.dequant", {&sums, &param}, {{"dtype", int64_t{0}}}));
}

TEST(CompareModels, ADeployModelAgainstFloat) {
  GraphBuilder a, b;
  BuildFloat(a);
  BuildDeploy(b, 0);
  const auto differences = Compare(a, b);
  ASSERT_TRUE(differences.ok()) << FormatError(differences.status());
  ASSERT_EQ(differences->size(), 2u);
  const LayerDifference& mul = differences->at(0);
  EXPECT_EQ(mul.layer, "mul");
  EXPECT_EQ(mul.op, "Mul");
  EXPECT_EQ(mul.sqnr_db, std::numeric_limits<double>::infinity());
  EXPECT_EQ(mul.largest, 0);
  EXPECT_FALSE(mul.saturated_b);
  // (2, 196) against (2, -4 + 63.5).
  const LayerDifference& fc = differences->at(1);
  EXPECT_EQ(fc.layer, "fc");
  EXPECT_EQ(fc.op, "MatMul");
  EXPECT_EQ(fc.largest, 196 - 59.5);
  EXPECT_DOUBLE_EQ(fc.sqnr_db, 10 * std::log10((4 + 196.0 * 196) / (136.5 * 136.5)));
  EXPECT_DOUBLE_EQ(fc.cosine,
                   (4 + 196 * 59.5) / (std::sqrt(4 + 196.0 * 196) * std::sqrt(4 + 59.5 * 59.5)));
  EXPECT_FALSE(fc.saturated_a);
  EXPECT_EQ(fc.saturated_b, 0.25);
}

TEST(CompareModels, AZeroAtABoundIsNotSaturated) {
  GraphBuilder a, b;
  BuildDeploy(a, 0);
  // Zero is -128, and 2 * -2 is cut off there too.
  BuildDeploy(b, -128);
  const auto differences = Compare(a, b);
  ASSERT_TRUE(differences.ok()) << FormatError(differences.status());
  EXPECT_EQ(differences->at(1).saturated_a, 0.25);
  EXPECT_EQ(differences->at(1).saturated_b, 0.25);
}

TEST(CompareModels, AModelAgainstItself) {
  GraphBuilder a;
  BuildDeploy(a, 3);
  const auto differences = Compare(a, a);
  ASSERT_TRUE(differences.ok()) << FormatError(differences.status());
  for (const LayerDifference& each : *differences) {
    EXPECT_EQ(each.sqnr_db, std::numeric_limits<double>::infinity());
    EXPECT_EQ(each.largest, 0);
    EXPECT_DOUBLE_EQ(each.cosine, 1);
  }
}

TEST(CompareModels, OtherInputs) {
  GraphBuilder a, b;
  BuildFloat(a);
  b.Output(b.Node("Relu", "mul", {&b.Input("z", {1, 4})}));
  EXPECT_EQ(CompareError(a, b), "b.onnx: the inputs are [z], those of the other model [x]");
}

TEST(CompareModels, NoCommonLayer) {
  GraphBuilder a, b;
  BuildFloat(a);
  b.Output(b.Node("Relu", "relu", {&b.Input("x", {1, 4})}));
  EXPECT_EQ(CompareError(a, b), "b.onnx: no layer has the name of one of a.onnx");
}

TEST(CompareModels, OtherShapes) {
  GraphBuilder a, b;
  a.Output(a.Node("Relu", "layer", {&a.Input("x", {1, 4})}));
  ir::Value& x = b.Input("x", {1, 4});
  b.Output(b.Node("Concat", "layer", {&x, &x}, {{"axis", int64_t{0}}}));
  EXPECT_EQ(CompareError(a, b), "b.onnx: node 'layer': it gives [2,4], in the other model [1,4]");
}

TEST(CompareModels, InputsThatDoNotFit) {
  GraphBuilder a, b;
  a.Output(a.Node("Relu", "layer", {&a.Input("x", {1, 4})}));
  b.Output(b.Node("Relu", "layer", {&b.Input("x", {1, 5})}));
  EXPECT_EQ(CompareError(a, b),
            "b.onnx: input 'x': shape [1,4] has extent 4 in dimension 1, the model wants [1,5]");
}

TEST(CompareModels, CanBeInterrupted) {
  GraphBuilder a;
  BuildFloat(a);
  const auto engine = runtime::MakeEngine();
  const auto differences = CompareModels(
      {*a.model, "a"}, {*a.model, "a"}, Data(), *engine,
      {.threads = 1, .input_shapes = {}, .progress = {}, .interrupted = [] { return true; }});
  EXPECT_TRUE(absl::IsCancelled(differences.status()));
}

}  // namespace
}  // namespace lathe::flows
