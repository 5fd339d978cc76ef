#include "lathe/passes/core/options.h"

#include <gtest/gtest.h>

namespace lathe::passes {
namespace {

using List = std::vector<std::string>;

std::vector<OptionDescriptor> Descriptors() {
  return {{"fast", "be quick", false},
          {"max", "how many", int64_t{8}},
          {"ratio", "how much", 0.5},
          {"mode", "which way", std::string("auto")},
          {"skip", "which not", List{}}};
}

std::string Message(const Status& status) { return FormatError(status); }

TEST(Options, StartAtTheirDefaults) {
  const OptionValues values(Descriptors());
  EXPECT_FALSE(values.Get<bool>("fast"));
  EXPECT_EQ(values.Get<int64_t>("max"), 8);
  EXPECT_EQ(values.Get<double>("ratio"), 0.5);
  EXPECT_EQ(values.Get<std::string>("mode"), "auto");
  EXPECT_TRUE(values.Get<List>("skip").empty());
  EXPECT_EQ(values.ToText(Descriptors()), "");
}

TEST(Options, AreParsedByType) {
  OptionValues values(Descriptors());
  EXPECT_TRUE(values.Parse("fast", "true").ok());
  EXPECT_TRUE(values.Parse("max", " -3 ").ok());
  EXPECT_TRUE(values.Parse("ratio", "1e-3").ok());
  EXPECT_TRUE(values.Parse("mode", "\"a \\\"b\\\" \\\\ c\"").ok());
  EXPECT_TRUE(values.Parse("skip", "[conv1, \"x, y\" ,\"\"]").ok());
  EXPECT_TRUE(values.Get<bool>("fast"));
  EXPECT_EQ(values.Get<int64_t>("max"), -3);
  EXPECT_EQ(values.Get<double>("ratio"), 1e-3);
  EXPECT_EQ(values.Get<std::string>("mode"), "a \"b\" \\ c");
  EXPECT_EQ(values.Get<List>("skip"), (List{"conv1", "x, y", ""}));
  EXPECT_EQ(
      values.ToText(Descriptors()),
      "{fast=true,max=-3,ratio=0.001,mode=\"a \\\"b\\\" \\\\ c\",skip=[conv1,\"x, y\",\"\"]}");
}

TEST(Options, AListOfOneNeedsNoBrackets) {
  OptionValues values(Descriptors());
  EXPECT_TRUE(values.Parse("skip", "/layer1/conv").ok());
  EXPECT_EQ(values.Get<List>("skip"), List{"/layer1/conv"});
  EXPECT_TRUE(values.Parse("skip", "[]").ok());
  EXPECT_TRUE(values.Get<List>("skip").empty());
}

TEST(Options, TextThatIsPrintedIsReadBack) {
  const List odd = {"",  " ",  "a,b",  "]",    "[x]", "\"", "\\",       "}",
                    "=", "\n", "a\tb", "true", "1e5", "ü",  "\\\"\\\"", "{k=v}"};
  for (const std::string& text : odd) {
    OptionValues values(Descriptors());
    EXPECT_TRUE(values.Parse("mode", OptionText(text)).ok()) << text;
    EXPECT_EQ(values.Get<std::string>("mode"), text);
  }
  OptionValues values(Descriptors());
  EXPECT_TRUE(values.Parse("skip", OptionText(odd)).ok());
  EXPECT_EQ(values.Get<List>("skip"), odd);
  for (const double number : {0.1, 1.0, -2.5e300, 5e-324}) {
    EXPECT_TRUE(values.Parse("ratio", OptionText(number)).ok());
    EXPECT_EQ(values.Get<double>("ratio"), number);
  }
}

TEST(Options, LineEndsAreEscaped) {
  OptionValues values(Descriptors());
  EXPECT_TRUE(values.Parse("mode", "\"a\\nb\"").ok());
  EXPECT_EQ(values.Get<std::string>("mode"), "a\nb");
  EXPECT_EQ(OptionText(OptionValue(std::string("a\nb"))), "\"a\\nb\"");
}

TEST(Options, WrongOnesAreRefused) {
  OptionValues values(Descriptors());
  EXPECT_EQ(Message(values.Parse("rato", "1")), "there is no option 'rato'; did you mean 'ratio'?");
  EXPECT_EQ(Message(values.Parse("zzzzzzzz", "1")),
            "there is no option 'zzzzzzzz'; it takes fast, max, ratio, mode, skip");
  EXPECT_EQ(Message(OptionValues().Parse("max", "1")), "there is no option 'max': it takes none");
  EXPECT_EQ(Message(values.Parse("fast", "1")),
            "option 'fast' is a boolean, and '1' is not one: write true or false");
  EXPECT_EQ(Message(values.Parse("max", "3.5")),
            "option 'max' is an integer, and '3.5' is not one");
  EXPECT_EQ(Message(values.Parse("max", "99999999999999999999")),
            "option 'max' is an integer, and '99999999999999999999' is not one");
  EXPECT_EQ(Message(values.Parse("ratio", "")), "option 'ratio' is a number, and '' is not one");
  EXPECT_EQ(Message(values.Parse("mode", "\"open")),
            "option 'mode' is a text, and '\\\"open' is not one: the quote is not closed");
  EXPECT_EQ(
      Message(values.Parse("mode", "\"a\" b")),
      "option 'mode' is a text, and '\\\"a\\\" b' is not one: ' b' follows the closing quote");
  EXPECT_EQ(Message(values.Parse("mode", "\"a\\t\"")),
            "option 'mode' is a text, and '\\\"a\\\\t\\\"' is not one: only \\\", \\\\ and \\n are "
            "understood after a backslash");
  EXPECT_EQ(Message(values.Parse("skip", "[a,,b]")),
            "option 'skip' is a list of texts, and '[a,,b]' is not one: an item is empty; write "
            "\"\" for an empty text");
  EXPECT_EQ(Message(values.Parse("skip", "[a,]")),
            "option 'skip' is a list of texts, and '[a,]' is not one: an item is missing after "
            "the last ','");
  EXPECT_EQ(Message(values.Parse("skip", "[a")),
            "option 'skip' is a list of texts, and '[a' is not one: ']' is missing");
  EXPECT_EQ(
      Message(values.Parse("skip", "[\"a\"b]")),
      "option 'skip' is a list of texts, and '[\\\"a\\\"b]' is not one: ',' is missing before "
      "'b'");
  // Nothing was set.
  EXPECT_EQ(values, OptionValues(Descriptors()));
}

TEST(Options, ValuesKeepTheirType) {
  OptionValues values(Descriptors());
  EXPECT_TRUE(values.Set("max", OptionValue(int64_t{3})).ok());
  EXPECT_EQ(Message(values.Set("max", OptionValue(0.5))),
            "option 'max' is an integer, not a number");
  EXPECT_EQ(values.Get<int64_t>("max"), 3);
}

}  // namespace
}  // namespace lathe::passes
