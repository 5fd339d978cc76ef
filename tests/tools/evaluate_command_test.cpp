#include "lathe/tools/evaluate_command.h"

#include <gtest/gtest.h>

namespace lathe::tools {
namespace {

TEST(EvaluateCommand, ReadsTheLastLine) {
  EXPECT_EQ(*LastNumber("12.5"), 12.5);
  EXPECT_EQ(*LastNumber("loading 3\r\n  -1e-3 \r\n\n"), -1e-3);
  EXPECT_EQ(*LastNumber("7\n+8\n"), 8);
}

TEST(EvaluateCommand, ANumberMustStandThere) {
  EXPECT_EQ(FormatError(LastNumber(" \n").status()), "it printed nothing");
  EXPECT_EQ(FormatError(LastNumber("1\naccuracy 0.5\n").status()),
            "its last line 'accuracy 0.5' is no finite number");
  EXPECT_EQ(FormatError(LastNumber("nan").status()), "its last line 'nan' is no finite number");
  EXPECT_EQ(FormatError(LastNumber("1e999").status()), "its last line '1e999' is no finite number");
}

TEST(EvaluateCommand, SeesBothModels) {
  // Their names are arguments, whatever characters they have.
  const auto number =
      EvaluateByCommand("test \"$1\" = 'a \"b' && test \"$2\" = '$c' && echo 7 #", "a \"b", "$c");
  ASSERT_TRUE(number.ok()) << FormatError(number.status());
  EXPECT_EQ(*number, 7);
}

TEST(EvaluateCommand, Failures) {
  const auto error = [](const std::string& command) {
    return FormatError(EvaluateByCommand(command, "a", "b").status());
  };
  EXPECT_EQ(error("exit 3 #"), "the evaluator 'exit 3 #': it failed with exit status 3");
  EXPECT_EQ(error("kill -9 $$ #"), "the evaluator 'kill -9 $$ #': it was ended by signal 9");
  EXPECT_EQ(error("/no/such/program"),
            "the evaluator '/no/such/program': it cannot be run (exit status 127)");
  EXPECT_EQ(error("true"), "the evaluator 'true': it printed nothing");
  EXPECT_EQ(error("echo"), "the evaluator 'echo': its last line 'a b' is no finite number");
}

// More than a pipe holds.
TEST(EvaluateCommand, LongOutput) {
  const auto number = EvaluateByCommand("seq 100000; echo 42 #", "a", "b");
  ASSERT_TRUE(number.ok()) << FormatError(number.status());
  EXPECT_EQ(*number, 42);
}

}  // namespace
}  // namespace lathe::tools
