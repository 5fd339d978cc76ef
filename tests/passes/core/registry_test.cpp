#include "lathe/passes/core/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/core/fact_table.h"
#include "lathe/passes/pipelines/all_passes.h"
#include "lathe/tests/passes/core/sample_passes.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

TEST(Registry, FindsByNameAndListsSorted) {
  PassRegistry registry;
  ASSERT_TRUE(registry.Add(Sample("b-pass")).ok());
  ASSERT_TRUE(registry.Add(Sample("a-pass")).ok());
  EXPECT_EQ((*registry.Find("b-pass"))->name, "b-pass");
  std::vector<std::string_view> names;
  for (const PassDescriptor* pass : registry.All()) names.push_back(pass->name);
  EXPECT_THAT(names, ElementsAre("a-pass", "b-pass"));
}

TEST(Registry, EveryPassShowsWhatItDoes) {
  PassRegistry registry;
  ASSERT_TRUE(RegisterAllPasses(registry).ok());
  EXPECT_GT(registry.All().size(), 15u);
  for (const PassDescriptor* pass : registry.All()) {
    // The drawing stands apart from the text: indented by four spaces.
    EXPECT_NE(pass->description.find("\n\n    "), std::string_view::npos) << pass->name;
  }
}

TEST(Registry, UnknownNamesComeWithTheNearest) {
  PassRegistry registry;
  ASSERT_TRUE(registry.Add(Sample("fuse-conv-bn")).ok());
  ASSERT_TRUE(registry.Add(Sample("infer-shapes")).ok());
  EXPECT_EQ(FormatError(registry.Find("fuse-conv-bm").status()),
            "there is no pass 'fuse-conv-bm'; did you mean 'fuse-conv-bn'?");
  EXPECT_EQ(FormatError(registry.Find("zzzzzzzzzzzz").status()), "there is no pass 'zzzzzzzzzzzz'");
}

TEST(Registry, RefusesIncompleteDescriptors) {
  PassRegistry registry;
  const auto refused = [&](PassDescriptor pass) { return FormatError(registry.Add(pass)); };
  for (const std::string_view name : {"", "-a", "a-", "a--b", "Fuse", "a b", "a_b"}) {
    EXPECT_EQ(refused(Sample(name)), fmt::format("'{}' is no pass name: a name is lower-case words "
                                                 "joined by dashes",
                                                 name));
  }
  EXPECT_EQ(refused(Sample("phase")), "'phase' means a group of passes");
  PassDescriptor pass = Sample("p");
  pass.description = "";
  EXPECT_EQ(refused(pass), "pass p: the description is missing");
  pass = Sample("p");
  pass.summary = "";
  EXPECT_EQ(refused(pass), "pass p: the summary is missing");
  pass = Sample("p");
  pass.summary = "two\nlines";
  EXPECT_EQ(refused(pass), "pass p: the summary has more than one line");
  EXPECT_EQ(refused(Sample("p", nullptr)), "pass p: there is nothing to run");
  pass = Sample("p");
  pass.options = {{"max", "how many", int64_t{8}}, {"max", "how many", int64_t{8}}};
  EXPECT_EQ(refused(pass), "pass p: option 'max' appears twice");
  pass.options = {{"max", "", int64_t{8}}};
  EXPECT_EQ(refused(pass), "pass p: option 'max' has no help");
  pass = Sample("p");
  pass.statistics = {{"", "help"}};
  EXPECT_EQ(refused(pass), "pass p: statistic without a name");
  pass = Sample("p");
  pass.preserves = {facts::kCalibrated, facts::kCalibrated};
  EXPECT_EQ(refused(pass), "pass p: fact 'calibrated' appears twice in preserves");
  EXPECT_TRUE(registry.All().empty());
}

TEST(Registry, RefusesATakenName) {
  PassRegistry registry;
  ASSERT_TRUE(registry.Add(Sample("p")).ok());
  EXPECT_EQ(FormatError(registry.Add(Sample("p"))), "there is already a pass 'p'");
}

TEST(Registry, PipelinesHaveNamesToo) {
  PassRegistry registry;
  ASSERT_TRUE(registry.Add(Sample("p")).ok());
  const auto refused = [&](PipelineDescriptor pipeline) {
    return FormatError(registry.AddPipeline(pipeline));
  };
  EXPECT_EQ(refused(SamplePipeline("Clean", "p")),
            "'Clean' is no pipeline name: a name is lower-case words joined by dashes");
  EXPECT_EQ(refused(SamplePipeline("fixpoint", "p")), "'fixpoint' means a group of passes");
  EXPECT_EQ(refused(SamplePipeline("p", "p")), "there is already a pass 'p'");
  EXPECT_EQ(refused({"clean", "", "Why.", "p"}), "pipeline 'clean': the summary is missing");
  EXPECT_EQ(refused({"clean", "Clean", "", "p"}), "pipeline 'clean': the description is missing");
  // So a pipeline cannot contain itself.
  EXPECT_EQ(refused(SamplePipeline("clean", "p,clean")),
            "pipeline 'clean': pipeline, column 3: there is no pass or pipeline 'clean'");
  EXPECT_EQ(registry.FindPipeline("clean"), nullptr);
  ASSERT_TRUE(registry.AddPipeline(SamplePipeline("clean", "p,p")).ok());
  ASSERT_NE(registry.FindPipeline("clean"), nullptr);
  EXPECT_EQ(registry.FindPipeline("clean")->text, "p,p");
  EXPECT_EQ(registry.AllPipelines().size(), 1u);
  EXPECT_EQ(refused(SamplePipeline("clean", "p")), "there is already a pipeline 'clean'");
  EXPECT_EQ(FormatError(registry.Add(Sample("clean"))), "there is already a pipeline 'clean'");
}

TEST(Registry, EveryPassOfLatheIsComplete) {
  PassRegistry registry;
  const Status status = RegisterAllPasses(registry);
  ASSERT_TRUE(status.ok()) << FormatError(status);
  for (const PassDescriptor* pass : registry.All()) {
    for (const auto& list : {pass->requires_facts, pass->establishes, pass->preserves}) {
      for (const std::string_view fact : list) {
        EXPECT_NE(FindFact(fact), nullptr) << pass->name << ": " << fact;
      }
    }
    EXPECT_GT(pass->description.size(), 2 * pass->summary.size()) << pass->name;
  }
}

}  // namespace
}  // namespace lathe::passes
