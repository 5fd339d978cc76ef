// Patterns with a choice: one-of, any order, the rest of the operands; choices are taken back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/passes/rewrite/pattern.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/rewrite/refusal_of.h"

namespace lathe::passes {
namespace {

using testing::ElementsAre;

constexpr NodeHandle kInner{"inner"};
constexpr ValueHandle kX{"x"}, kY{"y"};
constexpr ValuesHandle kOthers{"others"};

TEST(Alternatives, OneOfNodes) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* w = net.Init("w", {1});
  const Pattern scaled = OneOf({Op("Mul", {Any(kX), Constant(kY)}),
                                Op("Div", {Any(kX), Constant(kY)}), Op("Neg", {Any(kX)})})
                             .Bind(kInner);
  EXPECT_EQ(scaled.operators(), (std::vector<std::string>{"Mul", "Div", "Neg"}));
  ir::Node* div = net.Node("Div", "div", {x, w});
  std::optional<Match> match = FindMatch(scaled, *div);
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kInner], div);
  EXPECT_EQ(match->nodes(), std::vector<ir::Node*>{div});
  match = FindMatch(scaled, *net.Node("Neg", "neg", {x}));
  ASSERT_TRUE(match);
  EXPECT_EQ(match->Find(kY), nullptr);
  EXPECT_EQ(RefusalOf(scaled, *net.Node("Relu", "relu", {x})),
            "node 'relu': Relu is not Mul or Div or Neg");
  EXPECT_EQ(RefusalOf(scaled, *net.Node("Mul", "mul", {w, x})),
            "node 'mul': operand 1 is not constant");
  // As an operand, with a condition on whichever it is.
  const Pattern outer = Op("Relu", {scaled.OnlyConsumerIsMatch()});
  ir::Node* relu = net.Node("Relu", "r", {div->output()});
  EXPECT_EQ(RefusalOf(outer, *relu), "matched");
  net.Output(div->output());
  EXPECT_EQ(RefusalOf(outer, *relu), "node 'div': condition 'has no other consumer' does not hold");
}

TEST(Alternatives, OneOfOperands) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  const Pattern pattern =
      Op("Add", {OneOf({Op("Neg", {Any(kX)}), Constant(kY)})
                     .Where("is known", [](const ir::Value& v) { return !v.name().empty(); }),
                 Any()});
  ir::Value* neg = net.Op("Neg", "neg", {x});
  std::optional<Match> match = FindMatch(pattern, *net.Node("Add", "a", {neg, x}));
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kX], x);
  match = FindMatch(pattern, *net.Node("Add", "b", {net.Init("w", {1}), x}));
  ASSERT_TRUE(match);
  EXPECT_EQ(match->Find(kX), nullptr);
  EXPECT_EQ((*match)[kY].name_text(), "w");
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Add", "c", {x, x})),
            "node 'c': operand 0 is not the result of Neg");
  // Omitted, when an alternative allows it.
  const Pattern optional = Op("Foo", {OneOf({Op("Neg"), Optional(Constant())})});
  EXPECT_EQ(RefusalOf(optional, *net.Node("Foo", "d", {nullptr})), "matched");
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Add", "e", {nullptr, x})),
            "node 'e': operand 0 is omitted");
}

TEST(Alternatives, AnAlternativeIsTakenBackWhenALaterPartDoesNotFit) {
  // The first alternative fits the first operand but binds x to what the second is not.
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* neg = net.Op("Neg", "neg", {x});
  const Pattern pattern = Op("Add", {OneOf({Op("Neg", {Any(kX)}), Any(kX)}), Any(kX)});
  std::optional<Match> match = FindMatch(pattern, *net.Node("Add", "a", {neg, x}));
  ASSERT_TRUE(match);
  EXPECT_EQ(match->nodes().size(), 2u);
  match = FindMatch(pattern, *net.Node("Add", "b", {neg, neg}));
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kX], neg);
  EXPECT_EQ(match->nodes().size(), 1u);
  // So is one that a condition on the whole match refuses.
  const Pattern whole = Op("Add", {OneOf({Op("Neg", {Any(kX)}), Any(kX)}), Any()})
                            .WhereMatch("x is a result", [](const Match& found) {
                              return found[kX].kind() == ir::Value::Kind::kNodeOutput;
                            });
  match = FindMatch(whole, *net.Node("Add", "c", {neg, x}));
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kX], neg);
}

TEST(Alternatives, AnyOrder) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* w = net.Init("w", {1});
  const Pattern pattern = Op("Mul", {Any(kX), Constant(kY)}).AnyOrder();
  for (const auto& operands : {std::vector<ir::Value*>{x, w}, {w, x}}) {
    const std::optional<Match> match = FindMatch(pattern, *net.Node("Mul", "m", operands));
    ASSERT_TRUE(match);
    EXPECT_EQ(&(*match)[kX], x);
    EXPECT_EQ(&(*match)[kY], w);
  }
  // Two constants: in their own order.
  ir::Value* v = net.Init("v", {1});
  const std::optional<Match> match = FindMatch(pattern, *net.Node("Mul", "m", {v, w}));
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kX], v);
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Mul", "n", {x, x})),
            "node 'n': operand 1 is not constant");
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Mul", "n1", {w})), "node 'n1': has too few operands: 1");
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Mul", "n2", {x, w, x})),
            "node 'n2': has an operand 2, the pattern only 2");
}

TEST(Alternatives, AnyOrderIsTakenBackToo) {
  // (x + 1) * x in all four orders.
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* one = net.Init("one", {1});
  const Pattern pattern =
      Op("Mul", {Op("Add", {Any(kX), Any(kY)}).AnyOrder(), Any(kX)})
          .AnyOrder()
          .WhereMatch("y is constant", [](const Match& match) { return !!match.Constant(kY); });
  ir::Value* a = net.Op("Add", "a", {x, one});
  ir::Value* b = net.Op("Add", "b", {one, x});
  for (const auto& operands : {std::vector<ir::Value*>{a, x}, {x, a}, {b, x}, {x, b}}) {
    const std::optional<Match> match = FindMatch(pattern, *net.Node("Mul", "m", operands));
    ASSERT_TRUE(match);
    EXPECT_EQ(&(*match)[kX], x);
    EXPECT_EQ(&(*match)[kY], one);
    EXPECT_EQ(match->nodes().size(), 2u);
  }
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Mul", "n", {a, b})),
            "node 'n': operand 1 is not the other x");
}

TEST(Alternatives, RestTakesAllFurtherOperands) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* w = net.Init("w", {1});
  ir::Value* v = net.Init("v", {1});
  const Pattern pattern = Op("Concat", {Any(kX), Rest(kOthers, Constant())});
  std::optional<Match> match = FindMatch(pattern, *net.Node("Concat", "c", {x, w, v}));
  ASSERT_TRUE(match);
  EXPECT_THAT((*match)[kOthers], ElementsAre(w, v));
  match = FindMatch(pattern, *net.Node("Concat", "d", {x}));
  ASSERT_TRUE(match);
  EXPECT_THAT((*match)[kOthers], ElementsAre());
  EXPECT_EQ(RefusalOf(pattern, *net.Node("Concat", "e", {x, w, x})),
            "node 'e': operand 2 is not constant");
  EXPECT_EQ(RefusalOf(Op("Concat", {Rest()}), *net.Node("Concat", "f", {x, nullptr})),
            "node 'f': operand 1 is omitted");
  EXPECT_EQ(
      RefusalOf(Op("Concat", {Rest(Optional(Any()))}), *net.Node("Concat", "g", {x, nullptr})),
      "matched");
  EXPECT_EQ(RefusalOf(Op("Concat", {Rest(Op("Neg"))}),
                      *net.Node("Concat", "h", {net.Op("Neg", "n", {x}), x})),
            "node 'h': operand 1 is not the result of Neg");
}

TEST(Alternatives, AnyOrderLeavesTheRest) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* y = net.Input("y");
  ir::Value* w = net.Init("w", {1});
  const Pattern pattern = Op("Sum", {Constant(kY), Rest(kOthers)}).AnyOrder();
  const std::optional<Match> match = FindMatch(pattern, *net.Node("Sum", "s", {x, w, y}));
  ASSERT_TRUE(match);
  EXPECT_EQ(&(*match)[kY], w);
  EXPECT_THAT((*match)[kOthers], ElementsAre(x, y));
}

TEST(Alternatives, ALongRestNeedsNoDeepStack) {
  GraphBuilder net;
  const std::vector<ir::Value*> operands(200000, net.Op("Neg", "n", {net.Input("x")}));
  const Pattern pattern = Op("Concat", {Rest(kOthers, Op("Neg", {Any(kX)}))});
  const std::optional<Match> match = FindMatch(pattern, *net.Node("Concat", "c", operands));
  ASSERT_TRUE(match);
  EXPECT_EQ((*match)[kOthers].size(), operands.size());
}

TEST(Alternatives, TooManyAreGivenUp) {
  GraphBuilder net;
  const std::vector<ir::Value*> operands(1000, net.Input("x"));
  const Pattern pattern = Op("Sum", {Any(), Any(), Any(), Constant(), Rest()}).AnyOrder();
  Refusal refusal;
  EXPECT_FALSE(FindMatch(pattern, *net.Node("Sum", "s", operands), &refusal));
  EXPECT_EQ(refusal.reason, "gave up after 20000 steps: too many alternatives");
}

TEST(Alternatives, TheRefusalThatGotFurthestIsTold) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* exp = net.Op("Exp", "exp", {x});
  ir::Value* neg = net.Op("Neg", "neg", {exp});
  const Pattern pattern = Op(
      "Relu",
      {OneOf({Op("Neg", {Op("Exp", {Op("Log")})}),
              Op("Neg", {Op("Exp", {Any()}).Where("never", [](const ir::Node&) { return false; })}),
              Constant()})});
  Refusal refusal;
  EXPECT_FALSE(FindMatch(pattern, *net.Node("Relu", "r", {neg}), &refusal));
  EXPECT_EQ(refusal.ToText(), "node 'exp': condition 'never' does not hold");
  EXPECT_TRUE(refusal.by_condition);
}

}  // namespace
}  // namespace lathe::passes
