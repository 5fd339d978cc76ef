#include "lathe/passes/rewrite/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/tests/passes/rewrite/rule_runner.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

constexpr NodeHandle kInner{"inner"};
constexpr ValueHandle kInput{"input"};

class RewriteTest : public RuleRunner {};

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
  // The innocent rule is applied first, and often, but is not at fault.
  ir::Value* value = net_.Input("x");
  for (int i = 0; i < 30; ++i) value = net_.Op("Identity", "i" + std::to_string(i), {value});
  net_.Output(net_.Op("Relu", "y", {value}));
  EXPECT_EQ(FormatError(Apply({DropIdentity(), Rename("Tanh", "Relu", "back"),
                               Rename("Relu", "Tanh", "there")},
                              {.to_fixed_point = true})
                            .status()),
            "rules undo each other: back, there were still applied after 512 applications");
}

TEST_F(RewriteTest, ARuleThatDoesNotEndIsNamed) {
  net_.Output(net_.Op("Relu", "y", {net_.Input("x")}));
  EXPECT_EQ(FormatError(Apply({Rename("Relu", "Relu", "again")},
                              {.to_fixed_point = true, .max_applications = 5})
                            .status()),
            "a rule does not come to an end: again was still applied after 5 applications");
}

TEST_F(RewriteTest, OneWalkDoesNotMindRulesThatUndoEachOther) {
  net_.Output(net_.Op("Relu", "y", {net_.Input("x")}));
  EXPECT_EQ(Applied({Rename("Relu", "Tanh"), Rename("Tanh", "Relu")}), 1);
}

TEST_F(RewriteTest, APatternThatMakesNoSenseIsRefused) {
  EXPECT_EQ(FormatError(Apply({{"bad", Op("Sum", {Rest(), Any()}), Nothing}}).status()),
            "rule 'bad': Sum: operand 0 is a Rest, and not the last");
}

TEST_F(RewriteTest, WalksBackward) {
  // Backward, the last pair goes first.
  ir::Value* value = net_.Input("x");
  for (const char* name : {"a", "b", "c"}) value = net_.Op("Neg", name, {value});
  net_.Output(net_.Op("Relu", "y", {value}));
  EXPECT_EQ(Applied({DoubleNeg()}, {.backward = true}), 1);
  EXPECT_EQ(Listing(net_.graph()), "a = Neg(x)\ny = Relu(a)\nreturn y\n");
}

TEST_F(RewriteTest, BackwardVisitsBodiesBeforeTheirOwners) {
  ir::Node* branch = net_.Node("If", "if", {net_.Input("cond", {})});
  ir::Graph& body = net_.rewriter().AddBody(*branch, net_.model().Intern("then_branch"), false);
  net_.Node(body, "Relu", "inner", {net_.Init(body, "w", {1})});
  net_.Node("Relu", "outer", {net_.Input("x")});
  EXPECT_EQ(Applied({Rename("Relu", "Tanh")}, {.backward = true}), 2);
  ASSERT_EQ(remarks_.size(), 2u);
  EXPECT_EQ(remarks_[0].node, "inner");
  EXPECT_EQ(remarks_[1].node, "outer");
}

TEST_F(RewriteTest, AShuffleVisitsEveryNodeOnce) {
  for (int i = 0; i < 50; ++i) net_.Op("Relu", "n" + std::to_string(i), {net_.Input("x")});
  std::vector<std::vector<std::string>> orders;
  for (const uint64_t seed : {1, 2, 1}) {
    remarks_.clear();
    EXPECT_EQ(Applied({Rename("Relu", "Tanh"), Rename("Tanh", "Relu")}, {.shuffle_seed = seed}),
              50);
    std::vector<std::string>& order = orders.emplace_back();
    for (const Remark& remark : remarks_) order.push_back(remark.node);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_EQ(orders[0], orders[2]);
}

TEST_F(RewriteTest, RemarksAreWhatIsAskedFor) {
  const auto remarks = [&](RewriteOptions::Remarks kind) {
    remarks_.clear();
    ir::Value* a = net_.Op("Neg", "a", {net_.Input("x")});
    net_.Op("Neg", "b", {a});
    net_.Output(a);
    net_.Op("Relu", "r", {a});
    EXPECT_TRUE(Apply({DoubleNeg(), Rename("Relu", "Tanh")}, {.remarks = kind}).ok());
    return remarks_.size();
  };
  EXPECT_EQ(remarks(RewriteOptions::Remarks::kNone), 0u);
  EXPECT_EQ(remarks(RewriteOptions::Remarks::kApplied), 1u);
  // The refusals of the nodes of both earlier runs as well.
  EXPECT_EQ(remarks(RewriteOptions::Remarks::kAll), 4u);
}

TEST_F(RewriteTest, ARefusalIsRemarkedUponOnce) {
  // The root is looked at again after each edit above it.
  ir::Value* a = net_.Op("Neg", "a", {net_.Input("x")});
  ir::Value* b = net_.Op("Neg", "b", {a});
  net_.Output(a);
  net_.Output(net_.Op("Identity", "i", {b}));
  EXPECT_EQ(Applied({DropIdentity(), DoubleNeg()}, {.to_fixed_point = true}), 1);
  int missed = 0;
  for (const Remark& remark : remarks_) missed += remark.kind == Remark::Kind::kMissed ? 1 : 0;
  EXPECT_EQ(missed, 1);
}

// How often a condition on every node is asked: what a driver costs, without a clock.
class CountingTest : public RuleRunner {
 protected:
  RewriteRule Counter(std::string_view op) {
    return {"counter",
            Op(op, {Any()})
                .Where("is counted",
                       [this](const ir::Node&) {
                         ++count_;
                         return false;
                       }),
            Nothing};
  }
  int64_t count_ = 0;
};

TEST_F(CountingTest, ManyReadersOfAValueThatGoOneByOne) {
  constexpr int kReaders = 5000;
  ir::Value* center = net_.Op("Exp", "center", {net_.Input("x")});
  for (int i = 0; i < kReaders; ++i) {
    net_.Output(net_.Op("Relu", "r", {net_.Op("Identity", "i", {center})}));
  }
  // The center is looked at again whenever it loses a reader, its readers are not.
  EXPECT_EQ(Applied({DropIdentity(), DoubleNeg(), Counter("Relu")}, {.to_fixed_point = true}),
            kReaders);
  EXPECT_LT(count_, 4 * kReaders);
}

TEST_F(CountingTest, ManyEditsBeforeAValueThatManyRead) {
  constexpr int kNodes = 3000;
  std::vector<ir::Value*> operands;
  for (int i = 0; i < kNodes; ++i) operands.push_back(net_.Op("Identity", "i", {net_.Input("x")}));
  ir::Value* center = net_.Op("Sum", "sum", operands);
  for (int i = 0; i < kNodes; ++i) net_.Output(net_.Op("Relu", "r", {center}));
  const RewriteRule after_sum = {"after-sum", Op("Relu", {Op("Sum", {Constant()})}), Nothing};
  EXPECT_EQ(Applied({DropIdentity(), after_sum, Counter("Relu")}, {.to_fixed_point = true}),
            kNodes);
  EXPECT_LT(count_, 4 * kNodes);
}

TEST_F(CountingTest, ALongChain) {
  constexpr int kNodes = 6000;
  ir::Value* value = net_.Input("x");
  for (int i = 0; i < kNodes; ++i) value = net_.Op("Neg", "n", {value});
  net_.Output(net_.Op("Relu", "r", {value}));
  for (const bool backward : {false, true}) {
    count_ = 0;
    EXPECT_EQ(
        Applied({DoubleNeg(), Counter("Neg")}, {.to_fixed_point = true, .backward = backward}),
        backward ? 0 : kNodes / 2);
    EXPECT_LT(count_, 4 * kNodes);
  }
}

// What an edit makes possible is found, wherever the pattern looked.
TEST_F(RewriteTest, AFixedPointSeesDeepEdits) {
  ir::Value* value = net_.Op("Tanh", "t", {net_.Input("x")});
  for (const char* name : {"a", "b", "c"}) value = net_.Op("Neg", name, {value});
  net_.Output(value);
  const RewriteRule deep = {"deep", Op("Neg", {Op("Neg", {Op("Neg", {Op("Exp")})})}),
                            [](const Match& match, PassContext& context) {
                              context.rewriter().SetOperator(match.root(), "Abs", "");
                              return OkStatus();
                            }};
  // Backward, the root is looked at before the edit that helps it.
  EXPECT_EQ(Applied({deep, Rename("Tanh", "Exp")}, {.to_fixed_point = true, .backward = true}), 2);
}

TEST_F(RewriteTest, AFixedPointSeesNewTypes) {
  ir::Value* a = net_.Op("Tanh", "a", {net_.Input("x")});
  net_.Output(net_.Op("Relu", "r", {a}));
  const RewriteRule typed = {"typed", Op("Relu", {Any().OfRank(4)}),
                             [](const Match& match, PassContext& context) {
                               context.rewriter().SetOperator(match.root(), "Abs", "");
                               return OkStatus();
                             }};
  const RewriteRule infer = {
      "infer",
      Op("Tanh").Returns(
          0, Any().Where("is unknown",
                         [](const ir::Value& value) { return !value.type().has_rank(); })),
      [](const Match& match, PassContext& context) {
        context.rewriter().SetType(*match.root().output(), match.root().input(0)->type_ref());
        return OkStatus();
      }};
  EXPECT_EQ(Applied({typed, infer}, {.to_fixed_point = true, .backward = true}), 2);
}

TEST_F(RewriteTest, AFixedPointSeesThatAResultIsNoLongerRead) {
  ir::Node* dropout = net_.Node("Dropout", "d", {net_.Input("x")}, {}, 2);
  net_.Output(dropout->output());
  net_.Op("Shape", "s", {dropout->output(1)});
  const RewriteRule unused_mask = {
      "unused-mask",
      Op("Dropout").Returns(
          1, Any().Where("is unused", [](const ir::Value& value) { return !value.has_uses(); })),
      [](const Match& match, PassContext& context) {
        context.rewriter().SetOperator(match.root(), "Identity", "");
        return OkStatus();
      }};
  const RewriteRule dead = {
      "dead",
      Op("Shape").Returns(
          0, Any().Where("is unused", [](const ir::Value& value) { return !value.has_uses(); })),
      [](const Match& match, PassContext& context) {
        context.rewriter().Erase(match.root());
        return OkStatus();
      }};
  EXPECT_EQ(Applied({unused_mask, dead}, {.to_fixed_point = true}), 2);
}

TEST_F(RewriteTest, AFixedPointSeesOtherReadersAndBodies) {
  static constexpr ValueHandle kX{"x"};
  ir::Value* x = net_.Input("x");
  net_.Output(net_.Op("Sin", "s", {x}));
  net_.Output(net_.Op("Tanh", "t", {x}));
  ir::Node* branch = net_.Node("If", "if", {net_.Input("cond", {})});
  ir::Graph& body = net_.rewriter().AddBody(*branch, net_.model().Intern("then_branch"), false);
  net_.rewriter().AddGraphOutput(
      body, net_.Node(body, "Tanh", "inner", {net_.Init(body, "w", {1})})->output());
  const auto rename_root = [](const Match& match, PassContext& context) {
    context.rewriter().SetOperator(match.root(), "Done", "");
    return OkStatus();
  };
  const RewriteRule pair = {"pair", Op("Sin", {Any(kX)}).AlsoUser(kX, Op("Cos")), rename_root};
  const RewriteRule of_body = {"of-body", Op("If").Body("then_branch", {Op("Cos")}), rename_root};
  EXPECT_EQ(Applied({pair, of_body, Rename("Tanh", "Cos")}, {.to_fixed_point = true}), 4);
}

TEST_F(RewriteTest, AFixedPointSeesIntoBodiesThroughCaptures) {
  ir::Value* computed = net_.Op("Tanh", "t", {net_.Input("x")});
  ir::Node* branch = net_.Node("If", "if", {net_.Input("cond", {})});
  ir::Graph& body = net_.rewriter().AddBody(*branch, net_.model().Intern("then_branch"), false);
  net_.Node(body, "Relu", "r", {&net_.rewriter().Capture(body, *computed)});
  ir::Value* constant = net_.Init("w", {1});
  const RewriteRule needs_constant = {"needs-constant", Op("Relu", {Constant()}),
                                      [](const Match& match, PassContext& context) {
                                        context.rewriter().SetOperator(match.root(), "Abs", "");
                                        return OkStatus();
                                      }};
  const RewriteRule fold = {"fold", Op("Tanh"),
                            [constant](const Match& match, PassContext& context) {
                              context.rewriter().ReplaceNode(match.root(), *constant);
                              return OkStatus();
                            }};
  EXPECT_EQ(Applied({needs_constant, fold}, {.to_fixed_point = true, .backward = true}), 2);
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
