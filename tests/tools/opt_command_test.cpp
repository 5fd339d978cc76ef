#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lathe/frontends/onnx/import.h"
#include "lathe/tests/tools/run_lathe.h"
#include "lathe/tests/tools/sample_models.h"

namespace lathe::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr const char* kClean = "eliminate-identity,eliminate-dead-nodes";

std::string ListingOf(const std::string& path) {
  const StatusOr<std::unique_ptr<ir::Model>> model = frontends::ImportOnnx(path);
  if (!model.ok()) return FormatError(model.status());
  return passes::Listing((*model)->graph());
}

TEST(OptCommand, RunsAPipelineAndSaysWhatItDid) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", kClean, "--verify-each"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out,
            "#  pass                  result\n"
            "1  eliminate-identity    changed: removed 1\n"
            "2  eliminate-dead-nodes  changed: nodes 1\n"
            "b.onnx: 2 nodes, 4 before\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(ListingOf(folder / "b.onnx"), "conv = Conv(x, w)\ny = Relu(conv)\nreturn y\n");
}

TEST(OptCommand, VerboseNamesNodes) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result =
      RunLathe(folder, {"opt", "-v", "a.onnx", "-o", "b.onnx", "--passes", kClean});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\neliminate-identity applied: same: drop-identity\n"));
}

TEST(OptCommand, JsonIsOneObject) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result = RunLathe(
      folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "eliminate-identity", "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  const auto json = nlohmann::ordered_json::parse(result.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << result.out;
  EXPECT_EQ(json.dump(), R"({"model":"a.onnx","output":"b.onnx","changed":true,"nodes_before":4,)"
                         R"("nodes_after":3,"passes":[{"position":"1","pass":"eliminate-identity",)"
                         R"("changed":true,"statistics":{"removed":1},"remarks":[)"
                         R"({"kind":"applied","node":"same","message":"drop-identity"}]}]})");
}

TEST(OptCommand, TimingIsToldWhenAskedFor) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result = RunLathe(
      folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "eliminate-identity", "--timing"});
  EXPECT_THAT(result.out, MatchesRegex("#  *ms  pass +result\n1 +[0-9]+\\.[0-9]+ +eliminate-"
                                       "identity  changed: removed 1\n[^\n]*\n"));
}

TEST(OptCommand, PrintsTheModelAroundAPass) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result = RunLathe(
      folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "name-nodes,phase(eliminate-identity)",
               "--print-before", "eliminate-identity", "--print-after", "eliminate-identity"});
  EXPECT_EQ(result.status, 0) << result.err;
  const size_t after = result.err.find("// after pass eliminate-identity (number 2.1)\n");
  ASSERT_NE(after, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("// before pass eliminate-identity (number 2.1)\n"), 0u);
  EXPECT_NE(result.err.find("Identity(%conv)"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("Identity(%conv)", after), std::string::npos) << result.err;
}

TEST(OptCommand, PassesToPrintAtMustBeInThePipeline) {
  const TestFolder folder;
  const LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "eliminate-identity",
                        "--print-after", "eliminate-identty"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err,
            "lathe: error: --print-after: the pipeline has no pass 'eliminate-identty'; did you "
            "mean 'eliminate-identity'?\n");
}

TEST(OptCommand, TwoRunsWriteTheSameBytes) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  for (const char* out : {"b.onnx", "c.onnx"}) {
    EXPECT_EQ(RunLathe(folder, {"opt", "a.onnx", "-o", out, "--passes", kClean}).status, 0);
  }
  EXPECT_EQ(ReadFile(folder / "b.onnx"), ReadFile(folder / "c.onnx"));
}

TEST(OptCommand, AnEmptyPipelineCopies) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result = RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", ""});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(ReadFile(folder / "a.onnx"), ReadFile(folder / "b.onnx"));
}

TEST(OptCommand, AssumedFactsLetAPassRun) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "fake-quantize-weights",
                        "--assume", "quant-points-marked"});
  // It may run now, and says what it misses.
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("lathe: error: pass fake-quantize-weights: needs "));
}

TEST(OptCommand, ShapeFixesFreeDimensions) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "", "--shape", "x=3,2,4,4"});
  EXPECT_EQ(result.status, 0) << result.err;
  const StatusOr<std::unique_ptr<ir::Model>> model = frontends::ImportOnnx(folder / "b.onnx");
  ASSERT_TRUE(model.ok());
  EXPECT_THAT(*(*model)->graph().inputs()[0]->type().StaticShape(), ElementsAre(3, 2, 4, 4));
  // The output has the same symbol.
  EXPECT_THAT(*(*model)->graph().outputs()[0].value()->type().StaticShape(),
              ElementsAre(3, 2, 4, 4));
}

TEST(OptCommand, ShapesThatDoNotFitTheModel) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const auto error = [&](const std::string& shape) {
    const LatheResult result =
        RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "", "--shape", shape});
    EXPECT_EQ(result.status, 1);
    return result.err;
  };
  EXPECT_EQ(error("z=1"), "lathe: error: --shape: the model has no input 'z'\n");
  EXPECT_EQ(error("x=1,2"), "lathe: error: --shape: input 'x' has rank 4, not 2\n");
  EXPECT_EQ(error("x=1,3,4,4"),
            "lathe: error: --shape: dimension 1 of input 'x' is 2 in the model, not 3\n");
}

TEST(OptCommand, BadFilesAreErrorsOfTheModel) {
  const TestFolder folder;
  LatheResult result =
      RunLathe(folder, {"opt", "nothing.onnx", "-o", "b.onnx", "--passes", kClean});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "lathe: error: nothing.onnx: cannot open: No such file or directory\n");
  WriteConvNet(folder / "a.onnx");
  result = RunLathe(folder, {"opt", "a.onnx", "-o", "no/such/b.onnx", "--passes", kClean});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, MatchesRegex("lathe: error: no/such/b.onnx[^\n]*No such file or "
                                       "directory[^\n]*\n"));
}

}  // namespace
}  // namespace lathe::tools
