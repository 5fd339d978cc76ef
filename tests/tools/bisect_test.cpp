#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lathe/frontends/onnx/import.h"
#include "lathe/tests/tools/run_lathe.h"
#include "lathe/tests/tools/sample_models.h"

namespace lathe::tools {
namespace {

using testing::HasSubstr;

constexpr const char* kClean = "phase(fuse-conv-bn,eliminate-identity),eliminate-dead-nodes";

class BisectCommand : public testing::Test {
 protected:
  BisectCommand() { WriteConvNet(folder / "a.onnx"); }

  LatheResult Bisect(const std::string& command, const std::vector<std::string>& more = {},
                     const std::string& passes = kClean) {
    std::vector<std::string> arguments = {"opt", "a.onnx", "--passes", passes, "--bisect", command};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunLathe(folder, arguments);
  }
  std::string Error(const std::string& command, const std::vector<std::string>& more = {},
                    int status = 1) {
    const LatheResult result = Bisect(command, more);
    EXPECT_EQ(result.status, status) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(std::filesystem::exists(folder / "bisect.lir"));
    return result.err.substr(result.err.rfind("lathe: error: "));
  }
  std::string ListingOf(const std::string& file) const {
    const auto model = frontends::ImportOnnx(folder / file);
    return model.ok() ? passes::Listing((*model)->graph()) : FormatError(model.status());
  }

  TestFolder folder;
};

TEST_F(BisectCommand, NamesThePassAndLeavesAReproducer) {
  const LatheResult result = Bisect("grep -q Neg", {"-o", "good.onnx"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out,
            "run 3 of 3 is the first after which the check fails: eliminate-dead-nodes (number 2)\n"
            "#  pass                  result\n"
            "2  eliminate-dead-nodes  changed: nodes 1\n"
            "bisect.lir: the model before it, and eliminate-dead-nodes\n"
            "good.onnx: the last good model\n");
  EXPECT_EQ(result.err,
            "before the first run: the check holds\n"
            "after run 3, eliminate-dead-nodes (number 2): the check fails\n"
            "after run 1, fuse-conv-bn (number 1.1): the check holds\n"
            "after run 2, eliminate-identity (number 1.2): the check holds\n");
  EXPECT_EQ(ListingOf("good.onnx"),
            "conv = Conv(x, w)\nunused = Neg(conv)\ny = Relu(conv)\nreturn y\n");
  const LatheResult again =
      RunLathe(folder, {"opt", "--run-reproducer", "bisect.lir", "-o", "bad.onnx"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(ListingOf("bad.onnx"), "conv = Conv(x, w)\ny = Relu(conv)\nreturn y\n");
}

TEST_F(BisectCommand, APassInsideOfGroups) {
  const LatheResult result =
      Bisect("grep -q Identity", {"--reproducer", "r.lir", "--json"},
             "fixpoint(fuse-conv-bn,phase{name=p}(eliminate-identity),infer-shapes)");
  EXPECT_EQ(result.status, 0) << result.err;
  const auto json = nlohmann::ordered_json::parse(result.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << result.out;
  EXPECT_EQ(json["first_bad"]["run"], 2);
  EXPECT_EQ(json["first_bad"]["position"], "1#1.2.1");
  EXPECT_EQ(json["first_bad"]["pass"], "eliminate-identity");
  EXPECT_EQ(json["first_bad"]["pipeline"], "phase{name=p}(eliminate-identity)");
  EXPECT_EQ(json["reproducer"], "r.lir");
  EXPECT_THAT(ReadFile(folder / "r.lir"),
              HasSubstr("\n// pipeline: phase{name=p}(eliminate-identity)\n"));
  EXPECT_FALSE(std::filesystem::exists(folder / "bisect.lir"));
}

TEST_F(BisectCommand, TheCommandGetsAFileAndMayPrint) {
  const LatheResult result = Bisect(
      "f() { test -s \"$1\" && basename \"$1\" && lathe_fails=$(grep -c Identity \"$1\"); }; f");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("run 2 of 3 is the first"));
  EXPECT_THAT(result.err, HasSubstr("before-1.onnx\nbefore the first run: the check holds\n"));
  EXPECT_THAT(result.err, HasSubstr("after-2-eliminate-identity.onnx\n"));
}

TEST_F(BisectCommand, ACheckThatAlwaysHoldsFindsNothing) {
  const LatheResult result = Bisect("true", {"-o", "b.onnx"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out,
            "the check holds after all 3 runs of passes\nb.onnx: the last good model\n");
  EXPECT_EQ(ListingOf("b.onnx"), "conv = Conv(x, w)\ny = Relu(conv)\nreturn y\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "bisect.lir"));
  const LatheResult json = Bisect("true", {"--json"});
  EXPECT_EQ(nlohmann::ordered_json::parse(json.out, nullptr, false).dump(),
            R"({"runs":3,"checks":2,"first_bad":null,"output":""})");
}

TEST_F(BisectCommand, TheEndByASignalIsAFailure) {
  const LatheResult result = Bisect("grep -q Identity || kill -9 $$ #");
  EXPECT_EQ(result.status, 1) << "'#' hides the file, so that grep reads nothing";
  EXPECT_THAT(result.err, HasSubstr("the check fails on the model"));
}

TEST_F(BisectCommand, WhatCannotBeBisected) {
  EXPECT_EQ(Error("false"),
            "lathe: error: the check fails on the model as it is before the first pass\n");
  EXPECT_EQ(Error("./missing"),
            "lathe: error: the command './missing' cannot be run (exit status 127)\n");
  EXPECT_EQ(Error("true", {"--timing"}, 2),
            "lathe: error: --bisect excludes --timing (see 'lathe opt --help')\n");
}

TEST_F(BisectCommand, AWrongOrderIsSaidBeforeTheCommandRuns) {
  const LatheResult result = Bisect("touch ran; true", {}, "lower-to-deploy");
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("needs the fact"));
  EXPECT_FALSE(std::filesystem::exists(folder / "ran"));
}

}  // namespace
}  // namespace lathe::tools
