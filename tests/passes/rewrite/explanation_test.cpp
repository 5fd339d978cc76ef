#include "lathe/passes/rewrite/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/rewrite/rule_runner.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ExplanationTest : public RuleRunner {
 protected:
  // What was tried on the node while the rules ran, a line each.
  std::vector<std::string> Explain(const std::string& node, std::vector<RewriteRule> rules,
                                   RewriteOptions options = {}) {
    Explanation explanation = *Explanation::Of(node, net_.model());
    resources_.Provide<MatchListener>(&explanation);
    EXPECT_TRUE(Apply(std::move(rules), options).ok());
    std::vector<std::string> lines;
    for (const Explanation::Visit& visit : explanation.visits()) {
      lines.push_back(fmt::format("{} {} ({}){}", visit.pass, visit.node, visit.op,
                                  visit.as_part ? " as part" : ""));
      for (const Explanation::Attempt& attempt : visit.attempts) {
        lines.push_back(attempt.fits ? fmt::format("{} fits with [{}]", attempt.rule,
                                                   fmt::join(attempt.with, " "))
                                     : fmt::format("{} refuses after {}: {}", attempt.rule,
                                                   attempt.matched_nodes, attempt.reason));
      }
    }
    return lines;
  }
};

TEST_F(ExplanationTest, EveryRuleThatWasTried) {
  ir::Value* a = net_.Op("Neg", "a", {net_.Input("x")});
  net_.Output(net_.Op("Neg", "b", {a}));
  net_.Output(a);
  const RewriteRule two = {"two", Op("Neg", {Any(), Any()}), Nothing};
  const RewriteRule late = {"late", Op("Neg"), Nothing};
  const RewriteRule other = {"other", Op("Exp"), Nothing};
  EXPECT_THAT(
      Explain("b", {other, DoubleNeg(), two, Rename("Neg", "Abs"), late}),
      ElementsAre("test b (Neg)", "double-neg refuses after 0: node 'a': Abs is not Neg",
                  "two refuses after 0: node 'b': operand 1 is omitted", "rename fits with []"));
}

TEST_F(ExplanationTest, AMatchElsewhereThatTakesTheNode) {
  net_.Output(net_.Op("Neg", "b", {net_.Op("Neg", "a", {net_.Input("x")})}));
  EXPECT_THAT(
      Explain("a", {DoubleNeg()}),
      ElementsAre("test a (Neg)",
                  "double-neg refuses after 0: node 'a': operand 0 is not the result of Neg",
                  "test a (Neg) as part", "double-neg fits with [b]"));
}

TEST_F(ExplanationTest, NoRuleForTheOperator) {
  net_.Output(net_.Op("Neg", "b", {net_.Input("x")}));
  EXPECT_THAT(Explain("b", {Rename("Exp", "Log")}), ElementsAre("test b (Neg)"));
}

TEST_F(ExplanationTest, EqualVisitsAreToldOnce) {
  // b is looked at again when the Identity above it goes.
  ir::Value* value = net_.Op("Exp", "a", {net_.Op("Identity", "i", {net_.Input("x")})});
  net_.Output(net_.Op("Neg", "b", {value}));
  EXPECT_THAT(
      Explain("b", {DropIdentity(), DoubleNeg()}, {.to_fixed_point = true, .backward = true}),
      ElementsAre("test b (Neg)", "double-neg refuses after 0: node 'a': Exp is not Neg"));
}

TEST_F(ExplanationTest, NodesMadeOfTheNodeAreFollowed) {
  net_.Output(net_.Op("Neg", "b", {net_.Input("x")}));
  const RewriteRule replace = {"replace", Op("Neg"), [](const Match& match, PassContext& context) {
                                 ir::Node& made = context.rewriter().CreateNode(
                                     *match.root().graph(), &match.root(),
                                     {.op = "Exp",
                                      .domain = "",
                                      .name = "made",
                                      .inputs = {match.root().input(0)},
                                      .attributes = {}});
                                 context.rewriter().ReplaceNode(match.root(), *made.output());
                                 return OkStatus();
                               }};
  EXPECT_THAT(Explain("b", {replace, Rename("Exp", "Log")}, {.to_fixed_point = true}),
              ElementsAre("test b (Neg)", "replace fits with []", "test made (Exp)",
                          "rename fits with []", "test made (Log)"));
}

TEST_F(ExplanationTest, TheNodeThatComputesAValue) {
  // Without a name, and what takes its place as well.
  ir::Value* value = net_.Op("Neg", "b", {net_.Input("x")});
  net_.rewriter().Rename(*value->producer(), {});
  net_.rewriter().SetOrigin(*value->producer(), {});
  const std::string node = value->producer()->display_name();
  net_.Output(value);
  EXPECT_THAT(Explain("b", {Rename("Neg", "Abs")}),
              ElementsAre("test " + node + " (Neg)", "rename fits with []"));
}

TEST_F(ExplanationTest, AnUnknownNodeIsAnError) {
  net_.Output(net_.Op("Neg", "conv1", {net_.Input("x")}));
  EXPECT_EQ(FormatError(Explanation::Of("conv2", net_.model()).status()),
            "the model has no node or node's output 'conv2'; did you mean 'conv1'?");
  EXPECT_EQ(FormatError(Explanation::Of("zzz", net_.model()).status()),
            "the model has no node or node's output 'zzz'");
}

TEST_F(ExplanationTest, NothingIsSaidOfOthers) {
  net_.Op("Relu", "a", {net_.Input("x")});
  ir::Node* dead = net_.Node("Neg", "b", {net_.Input("x")});
  Explanation explanation = *Explanation::Of("b", net_.model());
  net_.rewriter().Erase(*dead);
  resources_.Provide<MatchListener>(&explanation);
  EXPECT_EQ(Applied({Rename("Relu", "Tanh")}), 1);
  EXPECT_THAT(explanation.visits(), IsEmpty());
}

}  // namespace
}  // namespace lathe::passes
