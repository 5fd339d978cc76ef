// Results, readers and bodies: patterns that look at more than the first results of operands.
#include <gtest/gtest.h>

#include "lathe/passes/rewrite/pattern.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/rewrite/refusal_of.h"

namespace lathe::passes {
namespace {

constexpr NodeHandle kInner{"inner"}, kOther{"other"};
constexpr ValueHandle kX{"x"}, kY{"y"}, kMask{"mask"};

TEST(Structure, AnOperandMayBeALaterResult) {
  GraphBuilder net;
  ir::Node* split = net.Node("Split", "s", {net.Input("x")}, {}, 2);
  ir::Node* first = net.Node("Relu", "a", {split->output(0)});
  ir::Node* second = net.Node("Relu", "b", {split->output(1)});
  const Pattern pattern = Op("Relu", {Result(Op("Split").Bind(kInner), 1)});
  const std::optional<Match> match = FindMatch(pattern, *second);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kInner], split);
  EXPECT_EQ(RefusalOf(pattern, *first), "node 'a': operand 0 is not result 1 of Split");
}

TEST(Structure, ResultsAreBoundAndHaveConditions) {
  GraphBuilder net;
  ir::Node* dropout = net.Node("Dropout", "d", {net.Input("x")}, {}, 2);
  const auto unused = [](const ir::Value& value) { return !value.has_uses(); };
  const Pattern pattern =
      Op("Dropout").Returns(0, Any(kY)).Returns(1, Any(kMask).Where("is unused", unused));
  const std::optional<Match> match = FindMatch(pattern, *dropout);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kMask], dropout->output(1));
  EXPECT_EQ(&(*match)[kY], dropout->output(0));
  net.Output(dropout->output(1));
  EXPECT_EQ(RefusalOf(pattern, *dropout),
            "node 'd': result 1: condition 'is unused' does not hold");
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Dropout", "e", {net.Input("y")})),
            "node 'e': has no result 1");
}

TEST(Structure, AResultSharesTheSymbolsOfTheMatch) {
  GraphBuilder net;
  ir::Node* node = net.Node("Expand", "n", {net.Input("x", {1, 3})});
  constexpr DimHandle kA{"A"}, kB{"B"};
  const Pattern keeps_shape =
      Op("Expand", {Any().OfShape({kA, kB})}).Returns(0, Any().OfShape({kA, kB}));
  EXPECT_EQ(RefusalOf(keeps_shape, *node), "node 'n': result 0: shape is not known");
  const auto set = [&](std::vector<int64_t> extents) {
    net.rewriter().SetType(
        *node->output(), net.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, extents)));
  };
  set({2, 3});
  EXPECT_EQ(RefusalOf(keeps_shape, *node), "node 'n': result 0: dimension 0 is 2, not A = 1");
  set({1, 3});
  EXPECT_EQ(RefusalOf(keeps_shape, *node), "matched");
}

TEST(Structure, NoEscape) {
  // exp is read twice, both times inside the match.
  GraphBuilder net;
  ir::Node* exp = net.Node("Exp", "exp", {net.Input("x")});
  ir::Node* neg = net.Node("Neg", "neg", {exp->output()});
  ir::Node* root = net.Node("Add", "root", {exp->output(), neg->output()});
  net.Output(root->output());
  const Pattern pattern =
      Op("Add", {Any(kX), Op("Neg", {Op("Exp").Returns(0, Any(kX))})}).NoEscape();
  EXPECT_EQ(RefusalOf(pattern, *root), "matched");
  ir::Node* outside = net.Node("Relu", "outside", {exp->output()});
  Refusal refusal;
  EXPECT_FALSE(FindMatch(pattern, *root, &refusal));
  EXPECT_EQ(refusal.ToText(),
            "node 'exp': condition 'is read only inside the match' does not hold");
  EXPECT_TRUE(refusal.by_condition);
  EXPECT_EQ(refusal.matched_nodes, 3u);
  net.rewriter().Erase(*outside);
  EXPECT_EQ(RefusalOf(pattern, *root), "matched");
  net.Output(neg->output());
  EXPECT_EQ(RefusalOf(pattern, *root),
            "node 'neg': condition 'is read only inside the match' does not hold");
}

TEST(Structure, ABodyThatReadsAValueIsOutside) {
  GraphBuilder net;
  ir::Node* exp = net.Node("Exp", "exp", {net.Input("x")});
  ir::Node* root = net.Node("Neg", "root", {exp->output()});
  const Pattern pattern = Op("Neg", {Op("Exp")}).NoEscape();
  EXPECT_EQ(RefusalOf(pattern, *root), "matched");
  ir::Node* branch = net.Node("If", "if", {net.Input("c", {})});
  ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  net.Node(body, "Relu", "r", {&net.rewriter().Capture(body, *exp->output())});
  EXPECT_EQ(RefusalOf(pattern, *root),
            "node 'exp': condition 'is read only inside the match' does not hold");
}

TEST(Structure, SeveralLastNodes) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* relu = net.Node("Relu", "relu", {x});
  ir::Node* sine = net.Node("Sin", "sin", {x});
  const Pattern pattern =
      Op("Sin", {Any(kX)}).AlsoUser(kX, Op("Cos", {Any(kX)}).Bind(kOther)).NoEscape();
  EXPECT_EQ(RefusalOf(pattern, *sine), "node 'sin': no other node that reads x fits Cos");
  ir::Node* cosine = net.Node("Cos", "cos", {x});
  const std::optional<Match> match = FindMatch(pattern, *sine);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kOther], cosine);
  EXPECT_EQ(match->nodes(), (std::vector<ir::Node*>{cosine, sine}));
  // Both may be read by anybody.
  net.Output(cosine->output());
  net.Output(sine->output());
  EXPECT_EQ(RefusalOf(pattern, *sine), "matched");
  // A node is not its own other.
  const Pattern twice = Op("Relu", {Any(kX)}).AlsoUser(kX, Op("Relu").Bind(kOther));
  EXPECT_EQ(RefusalOf(twice, *relu), "node 'relu': no other node that reads x fits Relu");
}

TEST(Structure, OtherReadersAreTriedInTurn) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* w = net.Init("w", {1});
  ir::Node* query = net.Node("MatMul", "q", {x, w});
  net.Node("MatMul", "k", {x, net.Input("computed")});
  ir::Node* value = net.Node("MatMul", "v", {x, w});
  const Pattern product = Op("MatMul", {Any(kX), Constant()});
  const std::optional<Match> match = FindMatch(product.AlsoUser(kX, product.Bind(kOther)), *query);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kOther], value);
  net.rewriter().SetInput(*value, 1, net.Input("other"));
  EXPECT_EQ(RefusalOf(product.AlsoUser(kX, product), *query),
            "node 'k': operand 1 is not constant");
}

struct Branches : GraphBuilder {
  Branches() {
    branch = Node("If", "if", {Input("c", {})});
    then_body = &rewriter().AddBody(*branch, model().Intern("then_branch"), false);
    x = Input("x");
    captured = &rewriter().Capture(*then_body, *x);
    inner = Node(*then_body, "Neg", "inner", {captured});
    rewriter().AddGraphOutput(*then_body, inner->output());
  }
  ir::Node* branch;
  ir::Graph* then_body;
  ir::Value* x;
  ir::Value* captured;
  ir::Node* inner;
};

TEST(Structure, WhatABodyReturns) {
  Branches net;
  const Pattern pattern =
      Op("If").Body("then_branch", {Op("Neg", {Captured(Any(kX))}).Bind(kInner)});
  const std::optional<Match> match = FindMatch(pattern, *net.branch);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kInner], net.inner);
  EXPECT_EQ(&(*match)[kX], net.x);
  EXPECT_EQ(&match->root(), net.branch);
  EXPECT_EQ(RefusalOf(Op("If").Body("else_branch", {Any()}), *net.branch),
            "node 'if': has no body 'else_branch'");
  EXPECT_EQ(RefusalOf(Op("If").Body("then_branch", {Op("Abs")}), *net.branch),
            "node 'inner': Neg is not Abs");
  EXPECT_EQ(RefusalOf(Op("If").Body("then_branch", {Any(), Any()}), *net.branch),
            "node 'if': output 1 of the body is omitted");
  EXPECT_EQ(RefusalOf(Op("If").Body("then_branch", {}), *net.branch),
            "node 'if': has an output 0 of the body, the pattern only 0");
  EXPECT_EQ(RefusalOf(Op("If").Body("then_branch", {Constant()}), *net.branch),
            "node 'if': output 0 of the body is not constant");
  EXPECT_EQ(RefusalOf(pattern.NoEscape(), *net.branch), "matched");
}

TEST(Structure, ValuesFromOutside) {
  Branches net;
  ir::Node* outer = net.Node("Exp", "outer", {net.x});
  ir::Value* seen = &net.rewriter().Capture(*net.then_body, *outer->output());
  ir::Node* root = net.Node(*net.then_body, "Relu", "r", {seen});
  // A body has walls.
  EXPECT_EQ(RefusalOf(Op("Relu", {Op("Exp")}), *root),
            "node 'r': operand 0 is not the result of Exp");
  const Pattern looks_out = Op("Relu", {Captured(Op("Exp", {Any(kX)}).Bind(kInner))});
  const std::optional<Match> match = FindMatch(looks_out, *root);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kInner], outer);
  EXPECT_EQ(RefusalOf(looks_out, *net.Node(*net.then_body, "Relu", "s", {net.inner->output()})),
            "node 's': operand 0 is not captured from outside");
  const Pattern alone = Op("Relu", {Captured(Op("Exp").OnlyConsumerIsMatch())});
  EXPECT_EQ(RefusalOf(alone, *root), "matched");
  // Another reader in the body.
  net.Node(*net.then_body, "Abs", "t", {seen});
  EXPECT_EQ(RefusalOf(alone, *root),
            "node 'outer': condition 'has no other consumer' does not hold");
}

TEST(Structure, NamedPartsPrefixTheirRefusals) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* exp = net.Op("Exp", "exp", {x});
  ir::Node* root = net.Node("Add", "root", {net.Op("Neg", "neg", {exp}), x});
  const auto never = [](const ir::Node&) { return false; };
  const Pattern exponent = Op("Exp", {Any()}).Named("the exponent");
  EXPECT_EQ(RefusalOf(Op("Add", {Op("Neg", {exponent}), Constant()}), *root),
            "node 'root': operand 1 is not constant");
  EXPECT_EQ(RefusalOf(Op("Add", {Op("Neg", {exponent.Where("never", never)}), Any()}), *root),
            "node 'exp': in the exponent: condition 'never' does not hold");
  EXPECT_EQ(
      RefusalOf(Op("Add", {Op("Neg", {exponent.Where("never", never)}).Named("the sign"), Any()}),
                *root),
      "node 'exp': in the sign, the exponent: condition 'never' does not hold");
  EXPECT_EQ(RefusalOf(Op("Add", {Op("Abs").Named("the size"), Any()}), *root),
            "node 'neg': in the size: Neg is not Abs");
}

}  // namespace
}  // namespace lathe::passes
