// lathe opt --explain NODE.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lathe/tests/tools/run_lathe.h"
#include "lathe/tests/tools/sample_models.h"

namespace lathe::tools {
namespace {

using testing::StartsWith;

LatheResult ExplainNode(const TestFolder& folder, const std::string& node,
                        std::vector<std::string> more = {}) {
  WriteConvNet(folder / "a.onnx");
  std::vector<std::string> arguments = {
      "opt",       "a.onnx", "-o", "b.onnx", "--passes", "eliminate-identity,eliminate-dead-nodes",
      "--explain", node};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunLathe(folder, arguments);
}

TEST(Explain, ARuleThatIsApplied) {
  const TestFolder folder;
  const LatheResult result = ExplainNode(folder, "same");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("'same' (Identity) in eliminate-identity\n"
                                     "  drop-identity: applied\n"
                                     "#  pass"));
}

TEST(Explain, ANodeThatNoRuleBeginsAt) {
  const TestFolder folder;
  const LatheResult result = ExplainNode(folder, "unused");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("'unused' (Neg) in eliminate-identity\n"
                                     "  no rule begins at Neg\n#  pass"));
}

TEST(Explain, ARuleThatIsRefused) {
  const TestFolder folder;
  passes::GraphBuilder net;
  ir::Value* y = net.Op("Identity", "y", {net.Input("x")});
  net.rewriter().SetType(*y, net.graph().inputs()[0]->type_ref());
  net.rewriter().SetGraphText(net.graph(), "net", "", {});
  net.Output(y);
  Write(net.model(), folder / "a.onnx");
  const LatheResult result = RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes",
                                               "eliminate-identity", "--explain", "y", "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json["explain"].size(), 1u);
  const auto& visit = json["explain"][0];
  EXPECT_EQ(visit["pass"], "eliminate-identity");
  EXPECT_EQ(visit["node"], "y");
  EXPECT_EQ(visit["op"], "Identity");
  EXPECT_EQ(visit["as_part"], false);
  ASSERT_EQ(visit["attempts"].size(), 1u);
  EXPECT_EQ(visit["attempts"][0]["rule"], "drop-identity");
  EXPECT_EQ(visit["attempts"][0]["applied"], false);
  EXPECT_EQ(visit["attempts"][0]["reason"],
            "node 'y': condition 'no graph output loses its producer' does not hold");
  const LatheResult text = RunLathe(folder, {"opt", "a.onnx", "-o", "b.onnx", "--passes",
                                             "eliminate-identity", "--explain", "y"});
  EXPECT_THAT(text.out,
              StartsWith("'y' (Identity) in eliminate-identity\n"
                         "  drop-identity: refused: node 'y': condition 'no graph output loses its "
                         "producer' does not hold"));
}

TEST(Explain, AnUnknownNode) {
  const TestFolder folder;
  const LatheResult result = ExplainNode(folder, "sane");
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err,
            "lathe: error: --explain: the model has no node or node's output 'sane'; did you "
            "mean 'same'?\n");
}

}  // namespace
}  // namespace lathe::tools
