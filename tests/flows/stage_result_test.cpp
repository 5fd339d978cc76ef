#include "lathe/flows/stage_result.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "../passes/graph_builder.h"
#include "lathe/backends/onnx/export.h"

namespace lathe::flows {
namespace {

class Staged : public testing::Test {
 protected:
  Staged() {
    std::string name = (std::filesystem::temp_directory_path() / "lathe-stage-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    graph_.Output(
        graph_.Op("MatMul", "m", {graph_.Input("x", {1, 64}), graph_.Init("w", {64, 64})}));
  }
  ~Staged() override { std::filesystem::remove_all(folder_); }

  // Stages the model and says whether what is read again is written alike.
  void Check(const backends::ExportOptions& options, size_t num_files) {
    const std::string path = folder_ / "net.onnx";
    AtomicFileSet files;
    const Status staged = backends::StageOnnx(graph_.model(), path, &files, options);
    ASSERT_TRUE(staged.ok()) << FormatError(staged);
    const auto read = ReadStaged(path, files);
    ASSERT_TRUE(read.ok()) << FormatError(read.status());
    const auto want = backends::SerializeOnnx(graph_.model());
    const auto got = backends::SerializeOnnx(**read);
    ASSERT_TRUE(want.ok() && got.ok());
    EXPECT_TRUE(*want == *got);
    EXPECT_EQ((*read)->graph().initializers()[0]->tensor().byte_size(), 64u * 64 * 4);
    EXPECT_FALSE(std::filesystem::exists(path));
    const auto count = std::distance(std::filesystem::directory_iterator(folder_), {});
    EXPECT_EQ(static_cast<size_t>(count), num_files);
  }

  std::filesystem::path folder_;
  passes::GraphBuilder graph_;
};

TEST_F(Staged, AModelIsReadBeforeItIsInPlace) { Check({}, 1); }

TEST_F(Staged, SoIsItsExternalData) {
  Check({.message_limit = 4096, .external_threshold = 1024}, 2);
}

TEST_F(Staged, WhatIsNotStagedIsAnError) {
  AtomicFileSet files;
  const auto read = ReadStaged("net.onnx", files);
  EXPECT_EQ(FormatError(read.status()), "net.onnx is not staged");
}

}  // namespace
}  // namespace lathe::flows
