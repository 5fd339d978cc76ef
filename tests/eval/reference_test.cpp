// The evaluator against onnx's reference implementation, which a script in the private Python
// environment runs.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "lathe/eval/evaluate.h"
#include "lathe/frontends/onnx/import.h"

namespace lathe::eval {
namespace {

namespace fs = std::filesystem;

// Equal bit for bit, except that sums of floats may be rounded in another order.
bool Agree(const ir::Tensor& got, const ir::Tensor& expected, bool is_sum) {
  if (got.element_type() != expected.element_type() ||
      !std::ranges::equal(got.dims(), expected.dims())) {
    return false;
  }
  if (!is_sum || !ir::IsFloatingPoint(got.element_type())) {
    const auto equal = got.EqualContents(expected);
    return equal.ok() && *equal;
  }
  const auto a = got.ValuesAsFloat(), b = expected.ValuesAsFloat();
  if (!a.ok() || !b.ok()) return false;
  return std::ranges::equal(*a, *b, [](float x, float y) {
    return std::fabs(x - y) <= 4e-6f * std::max(1.0f, std::fabs(y));
  });
}

TEST(EvaluatorAgainstReference, EveryCase) {
  const std::string python = LATHE_DEPS_DIR "/venv/bin/python";
  if (!fs::exists(python)) {
    GTEST_SKIP() << "NOT TESTED: no " << python << "; scripts/setup --tests makes it";
  }
  const fs::path folder = fs::path(LATHE_BINARY_DIR) / "eval-reference-cases";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::string command = python +
                              " '" LATHE_SOURCE_DIR "/tests/eval/make_reference_cases.py' '" +
                              folder.string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const auto model = frontends::ImportOnnx(file.string());
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    const ir::Node& node = *(*model)->graph().first_node();
    std::vector<ir::Tensor> inputs, expected(node.num_outputs());
    for (const ir::Use& use : node.inputs()) {
      inputs.push_back(use.value() == nullptr ? ir::Tensor() : use.value()->tensor());
    }
    for (const ir::Value* value : (*model)->graph().initializers()) {
      for (size_t i = 0; i < expected.size(); ++i) {
        if (value->name_text() == fmt::format("expected{}", i)) expected[i] = value->tensor();
      }
    }
    const auto results = Evaluate(node, inputs);
    if (!results.ok()) {
      ADD_FAILURE() << file << ": " << FormatError(results.status());
      continue;
    }
    ASSERT_EQ(results->size(), expected.size());
    const bool is_sum = node.Is("ReduceSum") || node.Is("ReduceMean") || node.Is("ReduceProd");
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(Agree((*results)[i], expected[i], is_sum)) << file << " output " << i;
    }
  }
  EXPECT_GE(files.size(), 700u);
}

}  // namespace
}  // namespace lathe::eval
