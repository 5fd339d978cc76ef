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

TEST(OptCommand, RoundsOfAFixpointAreSummedUp) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes",
                        "fuse-conv-bn,fixpoint(eliminate-identity,fixpoint(fuse-conv-bn))"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out,
            "    #  pass                result\n"
            "    1  fuse-conv-bn        unchanged\n"
            "  2.1  eliminate-identity  changed in 1 of 2 rounds: removed 1\n"
            "2.2.1  fuse-conv-bn        unchanged in 2 rounds\n"
            "b.onnx: 3 nodes, 4 before\n");
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
  const LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "phase(eliminate-identity)",
                        "--timing", "--timing-json", "t.json", "--trace", "trace.json"});
  EXPECT_EQ(result.status, 0) << result.err;
  // Allocations are not counted under a sanitizer.
  const std::string measures = " *[0-9.]+ +[0-9.]+ +([0-9]+|-) +([0-9.]+ k?B|-) +[0-9.]+ MB  ";
  EXPECT_THAT(result.out,
              MatchesRegex("  #  pass                result\n"
                           "1.1  eliminate-identity  changed: removed 1\n"
                           "wall ms  CPU ms  allocations  allocated  peak memory  pass\n" +
                           measures + "pipeline\n" + measures + "  1 phase\n" + measures +
                           "    1.1 eliminate-identity\n[^\n]*\n"));
  const auto tree = nlohmann::json::parse(ReadFile(folder / "t.json"), nullptr, false);
  ASSERT_FALSE(tree.is_discarded());
  const auto& pass = tree["children"][0]["children"][0];
  EXPECT_EQ(pass["name"], "eliminate-identity");
  EXPECT_EQ(pass["position"], "1.1");
  EXPECT_GT(pass["wall"], 0.0);
  const auto trace = nlohmann::json::parse(ReadFile(folder / "trace.json"), nullptr, false);
  ASSERT_FALSE(trace.is_discarded());
  ASSERT_EQ(trace["traceEvents"].size(), 3u);
  for (const auto& event : trace["traceEvents"]) {
    EXPECT_EQ(event["ph"], "X");
    for (const char* key : {"name", "cat", "ts", "dur", "pid", "tid", "args"}) {
      EXPECT_TRUE(event.contains(key)) << key;
    }
  }
}

TEST(OptCommand, PrintsThePipelineExpandedAndDoesNothingElse) {
  const TestFolder folder;
  const LatheResult result = RunLathe(
      folder, {"opt", "--print-pipeline", "--passes", "prepare,fixpoint{max=8}(fuse-conv-bn{})"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out,
            "phase{name=prepare}(freeze-inputs,name-nodes,fold-weights,normalize-gemm),fixpoint("
            "fuse-conv-bn)\n");
  std::string text = result.out;
  text.pop_back();
  EXPECT_EQ(RunLathe(folder, {"opt", "--print-pipeline", "--passes", text}).out, result.out);
}

TEST(OptCommand, APipelineMayStandInAFile) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  WriteFile(folder / "clean.txt",
            "# what is not needed\neliminate-identity,\neliminate-dead-nodes\n");
  LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "@clean.txt"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(ListingOf(folder / "b.onnx"), "conv = Conv(x, w)\ny = Relu(conv)\nreturn y\n");
  WriteFile(folder / "clean.txt", "eliminate-identity,\n  eliminate-dead-node\n");
  result = RunLathe(folder, {"opt", "a.onnx", "-o", "c.onnx", "--passes", "@clean.txt"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err,
            "lathe: error: clean.txt: pipeline, line 2, column 3: there is no pass or pipeline "
            "'eliminate-dead-node'; did you mean 'eliminate-dead-nodes'?\n");
  result = RunLathe(folder, {"opt", "a.onnx", "-o", "c.onnx", "--passes", "@none.txt"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "lathe: error: none.txt: cannot open: No such file or directory\n");
}

TEST(OptCommand, RemarksAreJsonLines) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "phase(eliminate-identity)",
                        "--remarks", "r.jsonl"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(ReadFile(folder / "r.jsonl"),
            R"({"position":"1.1","pass":"eliminate-identity","kind":"applied","node":"same",)"
            R"("message":"drop-identity"})"
            "\n");
}

// A pass that needs what no option of the command gives.
const std::vector<std::string> kFailing = {"--passes", "eliminate-identity,fake-quantize-weights",
                                           "--assume", "quant-points-marked"};

std::vector<std::string> With(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(OptCommand, AFailedPassIsARemarkAndLeavesAReproducer) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult failed = RunLathe(folder, With({"opt", "a.onnx", "-o", "b.onnx", "--reproducer",
                                                    "r.lir", "--remarks", "r.jsonl"},
                                                   kFailing));
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err,
              MatchesRegex("lathe: error: pass fake-quantize-weights: needs [^\n]*, and none was "
                           "given \\('lathe opt --run-reproducer r.lir' repeats it\\)\n"));
  EXPECT_THAT(ReadFile(folder / "r.jsonl"),
              HasSubstr("\n{\"position\":\"2\",\"pass\":\"fake-quantize-weights\",\"kind\":"
                        "\"failed\",\"node\":\"\",\"message\":\"needs "));
  // It needs neither the model nor the options.
  std::filesystem::remove(folder / "a.onnx");
  const LatheResult again = RunLathe(folder, {"opt", "--run-reproducer", "r.lir"});
  EXPECT_EQ(again.status, 1);
  EXPECT_EQ(again.err, failed.err.substr(0, failed.err.find(" (")) + "\n");
  EXPECT_EQ(RunLathe(folder, {"opt", "--run-reproducer", "r.lir", "--print-pipeline"}).out,
            "fake-quantize-weights\n");
  const LatheResult usage = RunLathe(folder, {"opt", "a.onnx", "--run-reproducer", "r.lir"});
  EXPECT_EQ(usage.status, 2);
  EXPECT_EQ(usage.err,
            "lathe: error: --run-reproducer brings its own model and pipeline: leave MODEL out\n");
}

TEST(OptCommand, ASuccessLeavesNoReproducer) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  const LatheResult result = RunLathe(
      folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", kClean, "--reproducer", "r.lir"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "r.lir"));
}

TEST(OptCommand, AFailedPassLeavesInputAndOutputAsTheyWere) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  WriteFile(folder / "b.onnx", "something else");
  const std::string input = ReadFile(folder / "a.onnx");
  EXPECT_EQ(RunLathe(folder, With({"opt", "a.onnx", "-o", "b.onnx"}, kFailing)).status, 1);
  EXPECT_EQ(ReadFile(folder / "a.onnx"), input);
  EXPECT_EQ(ReadFile(folder / "b.onnx"), "something else");
  EXPECT_EQ(RunLathe(folder, With({"opt", "a.onnx", "-o", "c.onnx"}, kFailing)).status, 1);
  EXPECT_FALSE(std::filesystem::exists(folder / "c.onnx"));
  // In place.
  EXPECT_EQ(RunLathe(folder, With({"opt", "a.onnx", "-o", "a.onnx"}, kFailing)).status, 1);
  EXPECT_EQ(ReadFile(folder / "a.onnx"), input);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "")) {
    files.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(files, testing::UnorderedElementsAre("a.onnx", "b.onnx", "stdout.txt", "stderr.txt"));
}

TEST(OptCommand, PrintsIntoAFolder) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  LatheResult result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "fixpoint(eliminate-identity)",
                        "--print-changes", "eliminate-*", "--print-node", "same", "--print-to",
                        "printed", "--check-changed", "--verify-each"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(ReadFile(folder / "printed/01-round1-fixpoint/01-eliminate-identity.diff"),
              HasSubstr("@@ -1,1 +1,0 @@\n-%same = Identity(%conv)"));
  EXPECT_FALSE(std::filesystem::exists(folder / "printed/01-round2-fixpoint"));
  result =
      RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", kClean, "--print-to", "p"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err,
            "lathe: error: --print-to needs --print-before, --print-after or --print-changes\n");
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

TEST(OptCommand, APipelineFileNeedsAName) {
  const TestFolder folder;
  const LatheResult result = RunLathe(folder, {"opt", "--passes", "@", "--print-pipeline"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err, "lathe: error: --passes: the name of a file is missing after '@'\n");
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
