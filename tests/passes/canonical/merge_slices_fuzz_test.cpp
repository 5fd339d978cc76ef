// Chains of random slices give the same elements when merge-slices has made them shorter.
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/interpreter.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {
namespace {

using Ints = std::vector<int64_t>;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr size_t kAxes = 2;

// y = Slice(Slice(... x)), where x : i64[6, n].
class Chain : public GraphBuilder {
 public:
  explicit Chain(uint32_t seed) : random_(seed) {
    rewriter().MutableInfo().opset_imports = {{"", 17}};
    const ir::Shape shape = {ir::Dim::Known(6), ir::Dim::Symbol("n")};
    ir::Value* value =
        &rewriter().AddGraphInput(graph(), model().Intern("x"),
                                  model().Intern(ir::Type::Tensor(ir::ElementType::kInt64, shape)));
    // Half of the chains can be merged where the extent is not known too.
    const bool plain = Pick(0, 1) == 0;
    const int length = Pick(2, 5);
    for (int i = 0; i < length; ++i) value = Slice(value, i, plain);
    Output(value);
  }

 private:
  int Pick(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }

  int64_t Bound(bool plain) {
    constexpr std::array<int64_t, 6> kFar = {kMost,      -kMost, std::numeric_limits<int>::max(),
                                             -kMost - 1, -100,   100};
    if (plain) return Pick(0, 4) == 0 ? kMost : Pick(0, 8);
    return Pick(0, 4) == 0 ? kFar[static_cast<size_t>(Pick(0, 5))] : Pick(-8, 8);
  }

  ir::Value* Slice(ir::Value* value, int i, bool plain) {
    const bool both = Pick(0, 2) == 0;
    Ints axes = {Pick(0, 1)};
    if (both) axes.push_back(1 - axes[0]);
    Ints starts, ends, steps;
    for (int64_t& axis : axes) {
      starts.push_back(plain ? Pick(0, 4) : Bound(false));
      ends.push_back(Bound(plain));
      int64_t step = Pick(0, 1) == 0 ? 1 : Pick(1, 3);
      if (!plain && Pick(0, 2) == 0) step = -step;
      steps.push_back(step);
      if (Pick(0, 2) == 0) axis -= static_cast<int64_t>(kAxes);
    }
    const auto constant = [&](const char* name, const Ints& values) {
      return &rewriter().AddInitializer(
          graph(), model().Intern(name + std::to_string(i)),
          ir::Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
    };
    return Op("Slice", "v" + std::to_string(i),
              {value, constant("starts", starts), constant("ends", ends), constant("axes", axes),
               constant("steps", steps)});
  }

  std::mt19937 random_;
};

std::vector<ir::Tensor> Outputs(const ir::Model& model) {
  std::vector<ir::Tensor> outputs;
  for (const int64_t extent : {0, 1, 2, 5, 9}) {
    std::vector<int64_t> numbers(static_cast<size_t>(6 * extent));
    std::iota(numbers.begin(), numbers.end(), 1);
    const StatusOr<std::vector<ir::Tensor>> result =
        Interpreter(model).Run({ir::Tensor::Of<int64_t>({6, extent}, numbers)});
    EXPECT_TRUE(result.ok()) << FormatError(result.status());
    if (result.ok()) outputs.push_back(result->front());
  }
  return outputs;
}

TEST(MergeSlicesFuzz, ChainsTakeTheSameElements) {
  int64_t merged = 0;
  for (uint32_t seed = 0; seed < 600; ++seed) {
    Chain chain(seed);
    const std::vector<ir::Tensor> before = Outputs(chain.model());
    const std::string listing = Listing(chain.graph());
    const auto report = RunWith(chain.model(), "infer-shapes{list=false},merge-slices", {});
    ASSERT_TRUE(report.ok()) << FormatError(report.status());
    merged += Statistic(report->passes.back(), "merged");
    const std::vector<ir::Tensor> after = Outputs(chain.model());
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < before.size(); ++i) {
      ASSERT_TRUE(std::ranges::equal(after[i].dims(), before[i].dims())) << seed << "\n" << listing;
      ASSERT_EQ(*after[i].ValuesAsInt64(), *before[i].ValuesAsInt64()) << seed << "\n" << listing;
    }
    const auto again = RunWith(chain.model(), "merge-slices", {});
    ASSERT_TRUE(again.ok());
    ASSERT_FALSE(again->changed) << seed << "\n" << listing;
  }
  // Most pairs merge.
  EXPECT_GT(merged, 600);
}

}  // namespace
}  // namespace lathe::passes
