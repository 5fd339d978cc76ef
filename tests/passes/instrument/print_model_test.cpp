#include "lathe/passes/instrument/print_model.h"

#include <gmock/gmock.h>

#include "lathe/ir/text/print.h"
#include "lathe/tests/passes/instrument/observed_run.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class PrintModelTest : public ObservedRun {
 protected:
  std::vector<std::string> Printed(PrintModelOptions options, std::string_view pipeline) {
    std::vector<std::string> texts;
    PrintModelObserver printer(std::move(options),
                               [&](std::string_view text) { texts.emplace_back(text); });
    EXPECT_EQ(Run(pipeline, {&printer}), "");
    return texts;
  }
};

TEST_F(PrintModelTest, WholeModelsAroundPasses) {
  const std::string before = *ir::PrintModel(builder.model());
  const std::vector<std::string> texts =
      Printed({.before = {"add-*"}, .after = {"idle", "add-relu"}}, "idle,phase(add-relu),busy");
  const std::string after = *ir::PrintModel(builder.model());
  EXPECT_NE(before, after);
  EXPECT_THAT(texts, ElementsAre("// after pass idle (number 1)\n" + before,
                                 "// before pass add-relu (number 2.1)\n" + before,
                                 "// after pass add-relu (number 2.1)\n" + after));
}

TEST_F(PrintModelTest, ChangesOnlyWhereThereAreSome) {
  const std::vector<std::string> texts = Printed({.changes = {"*"}}, "idle,busy,add-relu,idle");
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_THAT(texts[0], HasSubstr("// changes by pass add-relu (number 3)\n@@ "));
  EXPECT_THAT(texts[0], HasSubstr("\n   %act = Relu(%x) name \"act\"\n"
                                  "+  %added = Relu(%x) name \"added\"\n"
                                  "   return %act\n"));
  EXPECT_EQ(texts[0].find("\n-"), std::string::npos) << texts[0];
}

TEST_F(PrintModelTest, SomeNodes) {
  EXPECT_THAT(Printed({.after = {"*"}, .nodes = {"add*"}}, "idle,add-relu"),
              ElementsAre("// after pass idle (number 1)\n",
                          "// after pass add-relu (number 2)\n"
                          "%added = Relu(%x) name \"added\"\n"));
  // A node is followed by what it was in the model.
  Add(Sample("renaming", [](PassContext& context) -> StatusOr<bool> {
    context.rewriter().Rename(*context.model().graph().first_node(),
                              context.model().Intern("renamed"));
    return true;
  }));
  EXPECT_THAT(Printed({.changes = {"*"}, .nodes = {"act"}}, "renaming"),
              ElementsAre("// changes by pass renaming (number 1)\n@@ -1,1 +1,1 @@\n"
                          "-%act = Relu(%x) name \"act\"\n"
                          "+%act = Relu(%x) name \"renamed\" origin [\"act\"]\n"));
}

TEST_F(PrintModelTest, IntoFolders) {
  const std::string folder = Folder();
  EXPECT_THAT(Printed({.before = {"idle"},
                       .after = {"idle"},
                       .changes = {"add-relu"},
                       .nodes = {"add*"},
                       .folder = folder},
                      "idle,phase{name=\"odd/name\"}(idle,fixpoint{max=1}(add-relu))"),
              ElementsAre());
  EXPECT_THAT(Files(), ElementsAre(Pair("01-idle.after.txt", ""), Pair("01-idle.before.txt", ""),
                                   Pair("02-odd_name/01-idle.after.txt", ""),
                                   Pair("02-odd_name/01-idle.before.txt", ""),
                                   Pair("02-odd_name/02-round1-fixpoint/01-add-relu.diff",
                                        "@@ -1,0 +1,1 @@\n+%added = Relu(%x) name \"added\"\n")));
}

TEST_F(PrintModelTest, AFolderThatCannotBeMade) {
  PrintModelObserver printer({.after = {"*"}, .folder = "/dev/null/folder"}, {});
  EXPECT_EQ(Run("idle", {&printer}),
            "/dev/null/folder: pass idle: cannot make the folder: Not a directory");
}

}  // namespace
}  // namespace lathe::passes
