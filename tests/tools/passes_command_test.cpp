#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lathe/passes/pipelines/all_passes.h"
#include "lathe/tests/tools/run_lathe.h"

namespace lathe::tools {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(PassesCommand, ListsEveryPass) {
  const TestFolder folder;
  const LatheResult result = RunLathe(folder, {"passes"});
  EXPECT_EQ(result.status, 0);
  passes::PassRegistry registry;
  ASSERT_TRUE(passes::RegisterAllPasses(registry).ok());
  for (const passes::PassDescriptor* pass : registry.All()) {
    EXPECT_THAT(result.out, HasSubstr("\n" + std::string(pass->name) + " "));
    EXPECT_THAT(result.out, HasSubstr(std::string(pass->summary) + "\n"));
  }
}

TEST(PassesCommand, DescribesOne) {
  const TestFolder folder;
  const LatheResult result = RunLathe(folder, {"passes", "fuse-conv-bn"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, StartsWith("fuse-conv-bn: Fold BatchNormalization"));
  EXPECT_THAT(result.out, HasSubstr("\nOptions:\n"));
  EXPECT_THAT(result.out, HasSubstr("  skip (list, default []): "));
  EXPECT_THAT(result.out, HasSubstr("\nEstablishes:\n  conv-bn-fused: no BatchNormalization"));
}

TEST(PassesCommand, PipelinesAndGroupsAreListedToo) {
  const TestFolder folder;
  EXPECT_THAT(RunLathe(folder, {"passes"}).out,
              testing::AllOf(testing::ContainsRegex("\nprepare +Bring weights and names into"),
                             testing::ContainsRegex(
                                 "\nfixpoint\\(\\.\\.\\.\\) +passes that run in turn until")));
  const LatheResult one = RunLathe(folder, {"passes", "prepare"});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.out, StartsWith("prepare: Bring weights and names into the form"));
  EXPECT_THAT(
      one.out,
      HasSubstr("\n\nIt stands for:\n  freeze-inputs,name-nodes,fold-weights,normalize-gemm\n"));
  const auto json =
      nlohmann::json::parse(RunLathe(folder, {"passes", "prepare", "--json"}).out, nullptr, false);
  EXPECT_EQ(json["text"], "freeze-inputs,name-nodes,fold-weights,normalize-gemm");
}

TEST(PassesCommand, JsonHoldsTheDescriptors) {
  const TestFolder folder;
  const LatheResult all = RunLathe(folder, {"passes", "--json"});
  const auto list = nlohmann::json::parse(all.out, nullptr, false);
  ASSERT_FALSE(list.is_discarded()) << all.out;
  const LatheResult one = RunLathe(folder, {"passes", "fuse-conv-bn", "--json"});
  const auto json = nlohmann::json::parse(one.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << one.out;
  EXPECT_EQ(json["name"], "fuse-conv-bn");
  EXPECT_NE(std::find(list["passes"].begin(), list["passes"].end(), json), list["passes"].end());
  for (const char* key : {"summary", "description", "options", "statistics", "requires",
                          "establishes", "preserves"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
}

}  // namespace
}  // namespace lathe::tools
