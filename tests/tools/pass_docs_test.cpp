#include "lathe/tools/pass_docs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/pipelines/all_passes.h"
#include "lathe/tests/passes/core/sample_passes.h"
#include "lathe/tests/tools/run_lathe.h"

namespace lathe::tools {
namespace {

constexpr std::string_view kRegenerate =
    "regenerate it with: build/bin/lathe passes --docs docs/passes";

TEST(PassDocs, CommittedPagesAreWhatTheDescriptorsSay) {
  passes::PassRegistry registry;
  ASSERT_TRUE(passes::RegisterAllPasses(registry).ok());
  const std::map<std::string, std::string> pages = PassDocs(registry);
  const std::string folder = std::string(LATHE_SOURCE_DIR) + "/docs/passes";
  for (const auto& [name, text] : pages) {
    EXPECT_TRUE(ReadFile(folder + "/" + name) == text)
        << "docs/passes/" << name << " is missing or out of date; " << kRegenerate;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(pages.contains(name)) << "docs/passes/" << name << " belongs to no pass; remove it";
  }
}

TEST(PassDocs, TheDriverWritesThem) {
  const TestFolder folder;
  const LatheResult result = RunLathe(folder, {"passes", "--docs", "a/b"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "");
  passes::PassRegistry registry;
  ASSERT_TRUE(passes::RegisterAllPasses(registry).ok());
  for (const auto& [name, text] : PassDocs(registry)) {
    EXPECT_EQ(ReadFile(folder / "a/b/" + name), text);
  }
  WriteFile(folder / "file", "");
  const LatheResult failed = RunLathe(folder, {"passes", "--docs", "file/b"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.err, "lathe: error: file/b: cannot make the folder: Not a directory\n");
}

TEST(PassDocs, APageHoldsTheWholeDescriptor) {
  passes::PassDescriptor pass = passes::WithOptions("sample");
  pass.description = "\nWhat it does.\n\n    a  →  b\n";
  pass.statistics = {{"nodes", "nodes seen | not seen"}};
  pass.requires_facts = {"calibrated"};
  pass.establishes = {"of-a-plugin"};
  pass.scope = passes::PassScope::kGraphs;
  EXPECT_EQ(PassPage(pass),
            "<!-- Made from the descriptor by `lathe passes --docs docs/passes`; change it there. "
            "-->\n"
            "\n"
            "# sample\n"
            "\n"
            "Do what a test asks for.\n"
            "\n"
            "What it does.\n"
            "\n"
            "    a  →  b\n"
            "\n"
            "## Options\n"
            "\n"
            "| option | type | default | meaning |\n"
            "| --- | --- | --- | --- |\n"
            "| `max` | an integer | `8` | how many |\n"
            "| `mode` | a text | `auto` | which way |\n"
            "| `skip` | a list of texts | `[]` | which not |\n"
            "\n"
            "## Counts\n"
            "\n"
            "| count | of |\n"
            "| --- | --- |\n"
            "| `nodes` | nodes seen \\| not seen |\n"
            "\n"
            "## Facts\n"
            "\n"
            "Requires:\n"
            "\n"
            "- `calibrated`: activation and weight factors are known\n"
            "\n"
            "Establishes:\n"
            "\n"
            "- `of-a-plugin`\n"
            "\n"
            "It may stand in `bodies(...)`.\n");
}

}  // namespace
}  // namespace lathe::tools
