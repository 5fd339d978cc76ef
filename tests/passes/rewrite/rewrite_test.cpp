#include "lathe/passes/rewrite/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

constexpr NodeHandle kInner{"inner"};
constexpr ValueHandle kInput{"input"};

class RewriteTest : public testing::Test {
 protected:
  StatusOr<RewriteResult> Apply(std::vector<RewriteRule> rules, RewriteOptions options = {}) {
    const OptionValues values;
    const Resources resources;
    PassContext context(
        net_.rewriter(), values, resources,
        [&](Remark remark) { remarks_.push_back(std::move(remark)); },
        [](std::string_view, int64_t) {}, "test");
    return ApplyRules(rules, context, options);
  }
  int64_t Applied(std::vector<RewriteRule> rules, RewriteOptions options = {}) {
    const StatusOr<RewriteResult> result = Apply(std::move(rules), options);
    EXPECT_TRUE(result.ok()) << FormatError(result.status());
    return result.ok() ? result->applied : -1;
  }

  // Neg(Neg(x)) becomes x.
  static RewriteRule DoubleNeg() {
    return {"double-neg", Op("Neg", {Op("Neg", {Any(kInput)}).Bind(kInner).OnlyConsumerIsMatch()}),
            [](const Match& match, PassContext& context) {
              context.rewriter().ReplaceNode(match.root(), match[kInput]);
              context.rewriter().Erase(match[kInner]);
              return OkStatus();
            }};
  }
  static RewriteRule Rename(std::string from, std::string to) {
    return {"rename", Op(from), [to](const Match& match, PassContext& context) {
              context.rewriter().SetOperator(match.root(), to, "");
              return OkStatus();
            }};
  }

  GraphBuilder net_;
  std::vector<Remark> remarks_;
};

TEST_F(RewriteTest, WalksForward) {
  ir::Value* value = net_.Input("x");
  for (const char* name : {"a", "b", "c", "d", "e"}) value = net_.Op("Neg", name, {value});
  net_.Output(net_.Op("Relu", "y", {value}));
  EXPECT_EQ(Applied({DoubleNeg()}), 2);
  EXPECT_EQ(Listing(net_.graph()), "e = Neg(x)\ny = Relu(e)\nreturn y\n");
  ASSERT_EQ(remarks_.size(), 2u);
  EXPECT_EQ(remarks_[0].kind, Remark::Kind::kApplied);
  EXPECT_EQ(remarks_[0].node, "b");
  EXPECT_EQ(remarks_[0].message, "double-neg with a");
}

TEST_F(RewriteTest, RefusalsByAConditionAreRemarks) {
  ir::Value* a = net_.Op("Neg", "a", {net_.Input("x")});
  net_.Output(net_.Op("Neg", "b", {a}));
  net_.Output(a);
  const StatusOr<RewriteResult> result = Apply({DoubleNeg()});
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->changed());
  EXPECT_EQ(result->refused, 1);
  ASSERT_EQ(remarks_.size(), 1u);
  EXPECT_EQ(remarks_[0].kind, Remark::Kind::kMissed);
  EXPECT_EQ(remarks_[0].node, "b");
  EXPECT_EQ(remarks_[0].message,
            "double-neg: node 'a': condition 'has no other consumer' does not hold");
}

TEST_F(RewriteTest, TheFirstRuleThatFitsIsApplied) {
  net_.Output(net_.Op("Relu", "y", {net_.Input("x")}));
  EXPECT_EQ(Applied({Rename("Relu", "Sigmoid"), Rename("Relu", "Tanh"), Rename("Sigmoid", "Erf")}),
            1);
  EXPECT_EQ(Listing(net_.graph()), "y = Sigmoid(x)\nreturn y\n");
}

TEST_F(RewriteTest, AFixedPointSeesWhatRulesMade) {
  net_.Output(net_.Op("Relu", "y", {net_.Input("x")}));
  EXPECT_EQ(
      Applied({Rename("Sigmoid", "Erf"), Rename("Relu", "Sigmoid")}, {.to_fixed_point = true}), 2);
  EXPECT_EQ(Listing(net_.graph()), "y = Erf(x)\nreturn y\n");
}

TEST_F(RewriteTest, AFixedPointLooksAgainWhereAnEditHelped) {
  // b cannot go while d reads a; d is visited later and lets go of a.
  ir::Value* x = net_.Input("x");
  ir::Value* a = net_.Op("Neg", "a", {x});
  ir::Value* b = net_.Op("Neg", "b", {a});
  ir::Value* d = net_.Op("Shape", "d", {a});
  net_.Output(net_.Op("Relu", "y", {b}));
  net_.Output(d);
  const RewriteRule shape_of_input = {"shape-of-input", Op("Shape", {Op("Neg", {Any(kInput)})}),
                                      [](const Match& match, PassContext& context) {
                                        context.rewriter().SetInput(match.root(), 0,
                                                                    &match[kInput]);
                                        return OkStatus();
                                      }};
  EXPECT_EQ(Applied({DoubleNeg(), shape_of_input}, {.to_fixed_point = true}), 2);
  EXPECT_EQ(Listing(net_.graph()), "d = Shape(x)\ny = Relu(x)\nreturn y, d\n");
}

TEST_F(RewriteTest, RulesThatUndoEachOtherAreNamed) {
  net_.Output(net_.Op("Relu", "y", {net_.Input("x")}));
  RewriteRule there = Rename("Relu", "Tanh");
  there.name = "there";
  RewriteRule back = Rename("Tanh", "Relu");
  back.name = "back";
  EXPECT_EQ(FormatError(Apply({there, back}, {.to_fixed_point = true}).status()),
            "rules undo each other: there, back were still applied after 32 applications");
}

TEST_F(RewriteTest, AnErrorNamesTheRoot) {
  net_.Output(net_.Op("Relu", "y", {net_.Input("x")}));
  const RewriteRule failing = {
      "failing", Op("Relu"), [](const Match&, PassContext&) { return InternalError("cannot be"); }};
  EXPECT_EQ(FormatError(Apply({failing}).status()), "node 'y': cannot be");
}

TEST_F(RewriteTest, CreatedNodesInheritOrigins) {
  ir::Value* a = net_.Op("Neg", "a", {net_.Input("x")});
  net_.Output(net_.Op("Neg", "b", {a}));
  const RewriteRule fuse = {"fuse", Op("Neg", {Op("Neg", {Any(kInput)}).Bind(kInner)}),
                            [](const Match& match, PassContext& context) {
                              ir::Node& made = context.rewriter().CreateNode(
                                  *match.root().graph(), &match.root(),
                                  {.op = "Identity",
                                   .domain = "",
                                   .name = "ab",
                                   .inputs = {&match[kInput]},
                                   .attributes = {}});
                              context.rewriter().ReplaceNode(match.root(), *made.output());
                              return OkStatus();
                            }};
  EXPECT_EQ(Applied({fuse}), 1);
  std::vector<std::string_view> origins;
  for (const ir::Name name : net_.model().OriginNames(net_.graph().last_node()->origin())) {
    origins.push_back(net_.model().Text(name));
  }
  EXPECT_THAT(origins, testing::UnorderedElementsAre("a", "b"));
}

TEST_F(RewriteTest, BodiesAndFunctionsAreVisitedUnlessToldOtherwise) {
  ir::Node* branch = net_.Node("If", "y", {net_.Input("cond", {})});
  ir::Graph& body = net_.rewriter().AddBody(*branch, net_.model().Intern("then_branch"), false);
  net_.Node(body, "Relu", "inner", {net_.Init(body, "w", {1})});
  ir::Function& function =
      net_.rewriter().AddFunction(net_.model().Intern("own"), net_.model().Intern("F"), {});
  net_.Node(function.body(), "Relu", "in_function", {net_.Input(function.body(), "fx", {1})});
  net_.Node("Relu", "outer", {net_.Input("x")});
  EXPECT_EQ(Applied({Rename("Relu", "Tanh")}, {.bodies = false, .functions = false}), 1);
  EXPECT_EQ(Applied({Rename("Relu", "Tanh")}, {.bodies = false}), 1);
  EXPECT_EQ(Applied({Rename("Relu", "Tanh")}, {.functions = false}), 1);
  EXPECT_EQ(Applied({Rename("Tanh", "Relu")}), 3);
}

}  // namespace
}  // namespace lathe::passes
