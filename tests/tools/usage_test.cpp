// What the driver answers to a command line that is wrong, whatever the files hold: one line on
// standard error and exit status 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/tools/run_lathe.h"
#include "lathe/tests/tools/sample_models.h"

namespace lathe::tools {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

void ExpectUsageError(const TestFolder& folder, const std::vector<std::string>& arguments,
                      const std::string& message) {
  const LatheResult result = RunLathe(folder, arguments);
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err, "lathe: error: " + message + "\n");
  EXPECT_EQ(result.out, "");
}

TEST(Usage, HelpAndVersionGoToStandardOutput) {
  const TestFolder folder;
  LatheResult result = RunLathe(folder, {"--help"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, StartsWith("Lathe turns a float network"));
  for (const char* text : {"--threads N", "--json", "--verbose", "--shape NAME=1,3,224,224",
                           "inspect", "opt", "passes", "Exit status: 0 done"}) {
    EXPECT_THAT(result.out, HasSubstr(text));
  }
  result = RunLathe(folder, {"opt", "--help"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("--passes PIPELINE"));
  result = RunLathe(folder, {"--version"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out,
              MatchesRegex("lathe [0-9]+\\.[0-9]+\\.[0-9]+( \\(git [0-9a-f]+\\+?\\))?\n"));
}

TEST(Usage, ACommandIsNeeded) {
  const TestFolder folder;
  ExpectUsageError(folder, {}, "a command is missing (see 'lathe --help')");
  ExpectUsageError(folder, {"--json"}, "a command is missing (see 'lathe --help')");
  ExpectUsageError(folder, {"inspct", "a.onnx"},
                   "there is no command 'inspct'; did you mean 'inspect'? (see 'lathe --help')");
}

TEST(Usage, UnknownAndMissingOptions) {
  const TestFolder folder;
  ExpectUsageError(folder, {"inspect"}, "MODEL is required (see 'lathe inspect --help')");
  ExpectUsageError(folder, {"inspect", "a.onnx", "--frobnicate"},
                   "The following argument was not expected: --frobnicate (see 'lathe inspect "
                   "--help')");
  ExpectUsageError(folder, {"opt", "a.onnx", "-o", "b.onnx"},
                   "--passes is required (see 'lathe opt --help')");
  ExpectUsageError(folder, {"--threads", "0", "passes"},
                   "--threads: Value 0 not in range 1 to 4096 (see 'lathe passes --help')");
}

TEST(Usage, ShapesAreCheckedBeforeTheModelIsRead) {
  const TestFolder folder;
  for (const std::string text : {"x", "x=", "=1", "x=1,", "x=1,a", "x=0", "x=-1", "x=1 2"}) {
    ExpectUsageError(folder, {"inspect", "nothing.onnx", "--shape", text},
                     "--shape '" + text + "': write NAME=1,3,224,224");
  }
  ExpectUsageError(folder, {"inspect", "nothing.onnx", "--shape", "x=1", "--shape", "x=2"},
                   "--shape is given twice for input 'x'");
}

TEST(Usage, AWrongPipelineIsSaidBeforeTheModelIsRead) {
  const TestFolder folder;
  ExpectUsageError(folder, {"opt", "nothing.onnx", "-o", "b.onnx", "--passes", "fuse-conv-bm"},
                   "pipeline, column 1: there is no pass or pipeline 'fuse-conv-bm'; did you mean "
                   "'fuse-conv-bn'?");
}

TEST(Usage, AWrongOrderIsRefusedAndNothingIsWritten) {
  const TestFolder folder;
  WriteConvNet(folder / "a.onnx");
  ExpectUsageError(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "quantize-weights"},
                   "pass quantize-weights (number 1) needs the fact 'quant-points-marked', which "
                   "does not hold; run mark-quant-points before it");
  EXPECT_FALSE(std::filesystem::exists(folder / "b.onnx"));
  ExpectUsageError(
      folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes", "name-nodes", "--assume", "calibratd"},
      "there is no fact 'calibratd' to assume; did you mean 'calibrated'?");
}

TEST(Usage, AnUnknownPassToDescribe) {
  const TestFolder folder;
  ExpectUsageError(folder, {"passes", "fuse-conv"},
                   "there is no pass or pipeline 'fuse-conv'; did you mean 'fuse-conv-bn'?");
}

}  // namespace
}  // namespace lathe::tools
