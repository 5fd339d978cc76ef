// Products that are scaled: the engine folds some scales into the matrix, results stay what they
// are.
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graphs.h"
#include "lathe/runtime/openvino/engine.h"

namespace lathe::runtime {
namespace {

using ir::Tensor;
using test::GraphBuilder;

constexpr int64_t kRows = 3;
constexpr int64_t kInner = 5;
constexpr int64_t kColumns = 4;

std::vector<float> Random(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> draw(0.5f, 2.0f);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = draw(random);
  return values;
}

struct Case {
  std::string name;
  std::vector<int64_t> scale;
  bool transposed = false;
  bool scale_first = false;
  // The product is an output as well.
  bool used_twice = false;
};

class FoldScales : public ::testing::TestWithParam<Case> {};

TEST_P(FoldScales, TheResultIsTheScaledProduct) {
  const Case& test = GetParam();
  int64_t count = 1;
  for (const int64_t dim : test.scale) count *= dim;
  const std::vector<float> x = Random(kRows * kInner, 1);
  const std::vector<float> w = Random(kInner * kColumns, 2);
  const std::vector<float> s = Random(count, 3);

  GraphBuilder graph;
  ir::Value& input = graph.Input("x", {kRows, kInner});
  const std::vector<int64_t> dims =
      test.transposed ? std::vector{kColumns, kInner} : std::vector{kInner, kColumns};
  ir::Value& matrix = graph.Constant("w", Tensor::Of<float>(dims, w));
  ir::Value& product =
      test.transposed ? graph.Node("Gemm", "product", {&input, &matrix}, {{"transB", int64_t{1}}})
                      : graph.Node("MatMul", "product", {&input, &matrix});
  ir::Value& scale = graph.Constant("s", Tensor::Of<float>(test.scale, s));
  graph.Output(graph.Node("Mul", "scaled",
                          test.scale_first ? std::vector<ir::Value*>{&scale, &product}
                                           : std::vector<ir::Value*>{&product, &scale}));
  if (test.used_twice) graph.Output(product);

  const auto compiled = MakeOpenVinoEngine()->Compile(*graph.model, {});
  ASSERT_TRUE(compiled.ok()) << FormatError(compiled.status());
  const Tensor fed = Tensor::Of<float>({kRows, kInner}, x);
  const auto outputs = (*compiled)->Run({&fed, 1});
  ASSERT_TRUE(outputs.ok()) << FormatError(outputs.status());
  const std::vector<float> got = *(*outputs)[0].Values<float>();
  const bool deeper = test.scale.size() > 2;
  EXPECT_EQ((*outputs)[0].dims().size(), deeper ? test.scale.size() : 2u);
  ASSERT_EQ(got.size(), static_cast<size_t>(kRows * kColumns));
  const bool per_row = test.scale.size() == 2 && test.scale[0] == kRows;
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t column = 0; column < kColumns; ++column) {
      double sum = 0;
      for (int64_t k = 0; k < kInner; ++k) {
        const int64_t at = test.transposed ? column * kInner + k : k * kColumns + column;
        sum += static_cast<double>(x[static_cast<size_t>(row * kInner + k)]) *
               static_cast<double>(w[static_cast<size_t>(at)]);
      }
      const int64_t which = count == 1 ? 0 : per_row ? row : column;
      const auto i = static_cast<size_t>(row * kColumns + column);
      EXPECT_NEAR(got[i], sum * static_cast<double>(s[static_cast<size_t>(which)]),
                  std::abs(sum) * 1e-6)
          << row << ", " << column;
      if (test.used_twice) {
        EXPECT_NEAR((*(*outputs)[1].Values<float>())[i], sum, sum * 1e-6);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, FoldScales,
    testing::Values(Case{"one", {}}, Case{"one_of_rank_one", {1}}, Case{"columns", {kColumns}},
                    Case{"columns_of_rank_two", {1, kColumns}}, Case{"rows", {kRows, 1}},
                    Case{"more_dimensions", {1, 1, kColumns}},
                    Case{.name = "one_transposed", .scale = {}, .transposed = true},
                    Case{.name = "columns_transposed", .scale = {kColumns}, .transposed = true},
                    Case{.name = "rows_transposed", .scale = {kRows, 1}, .transposed = true},
                    Case{.name = "scale_first", .scale = {kColumns}, .scale_first = true},
                    Case{.name = "product_kept", .scale = {kColumns}, .used_twice = true}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace lathe::runtime
