#include "lathe/flows/spill_weights.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "../passes/graph_builder.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/support/mapped_pages.h"

namespace lathe::flows {
namespace {

class Spill : public testing::Test {
 protected:
  Spill() {
    ir::Value* const x = graph_.Op("MatMul", "large", {graph_.Input("x", {1, 512}), large_});
    graph_.Output(graph_.Op("MatMul", "small", {x, small_}));
  }

  static bool OnDisk(const ir::Value& value) {
    const auto bytes = value.ConstantTensor().Read();
    return bytes.ok() && IsMapped(bytes->data());
  }

  passes::GraphBuilder graph_;
  ir::Value* large_ = graph_.Init("large.w", {512, 1024});
  ir::Value* small_ = graph_.Init("small.w", {1024, 4});
};

TEST_F(Spill, LargeWeightsGoToAFileAndAreTheSame) {
  const auto before = backends::SerializeOnnx(graph_.model());
  EXPECT_FALSE(OnDisk(*large_));
  const Status status = SpillWeights(graph_.model());
  ASSERT_TRUE(status.ok()) << FormatError(status);
  const ir::Node& large = *graph_.model().graph().nodes().begin();
  EXPECT_TRUE(OnDisk(*large.input(1)));
  EXPECT_FALSE(OnDisk(*small_));
  EvictMappedPages();
  const auto after = backends::SerializeOnnx(graph_.model());
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_TRUE(*before == *after);
}

TEST_F(Spill, WithoutAFolderNothingChanges) {
  const char* const old = std::getenv("TMPDIR");
  const std::string saved = old == nullptr ? "" : old;
  ::setenv("TMPDIR", "/nowhere", 1);
  const Status status = SpillWeights(graph_.model());
  if (old == nullptr) {
    ::unsetenv("TMPDIR");
  } else {
    ::setenv("TMPDIR", saved.c_str(), 1);
  }
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(OnDisk(*large_));
}

}  // namespace
}  // namespace lathe::flows
