#include "lathe/passes/rewrite/rule_set.h"

#include <random>

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

constexpr ValueHandle kX{"x"};

RewriteRule Rule(std::string_view name, Pattern pattern) {
  return {name, std::move(pattern), [](const Match&, PassContext&) { return OkStatus(); }};
}

std::string ErrorOf(RewriteRule rule) {
  const std::vector<RewriteRule> rules = {std::move(rule)};
  return FormatError(RuleSet::Compile(rules).status());
}
std::string ErrorOf(Pattern pattern) { return ErrorOf(Rule("bad", std::move(pattern))); }

TEST(RuleSet, PatternsThatMakeNoSenseAreNamed) {
  EXPECT_EQ(ErrorOf(Op("Relu", {Any()})), "");
  EXPECT_EQ(ErrorOf(Rule("", Op("Relu"))), "rule 0 has no name");
  EXPECT_EQ(ErrorOf(RewriteRule{"empty", Op("Relu"), {}}), "rule 'empty' has nothing to build");
  EXPECT_EQ(ErrorOf(Pattern(std::vector<std::string>())), "rule 'bad': a node has no operator");
  EXPECT_EQ(ErrorOf(Op("Relu", {OneOf(std::initializer_list<Pattern>())})),
            "rule 'bad': a node has no operator");
  EXPECT_EQ(ErrorOf(Op("")), "rule 'bad': an operator has no name");
  EXPECT_EQ(ErrorOf(Op("Relu", {Op("Exp").Opset(13, 7)})),
            "rule 'bad': Exp: no opset is in 13 to 7");
  EXPECT_EQ(ErrorOf(Op("Mul").AnyOrder()), "rule 'bad': Mul: AnyOrder needs operands");
  EXPECT_EQ(ErrorOf(OneOf({Op("Mul"), Op("Div")}).InDomain("own")),
            "rule 'bad': Mul or Div: operands and domain belong to the alternatives of OneOf");
  EXPECT_EQ(ErrorOf(Op("Mul").OnlyConsumerIsMatch()),
            "rule 'bad': Mul: OnlyConsumerIsMatch is for operands, not for the root");
  EXPECT_EQ(ErrorOf(Op("Relu", {Op("Mul").NoEscape()})),
            "rule 'bad': Mul: NoEscape is for the root");
  EXPECT_EQ(ErrorOf(Op("Relu", {Op("Mul").AlsoUser(kX, Op("Exp"))})),
            "rule 'bad': Mul: AlsoUser is for the root");
  EXPECT_EQ(ErrorOf(Op("Mul", {Any()}).AlsoUser(kX, Op("Exp"))),
            "rule 'bad': AlsoUser asks for readers of 'x', which no operand binds");
  EXPECT_EQ(ErrorOf(Op("Sum", {Rest(), Any()})),
            "rule 'bad': Sum: operand 0 is a Rest, and not the last");
  EXPECT_EQ(ErrorOf(Op("Sum", {Rest(Rest())})), "rule 'bad': Sum: a Rest of a Rest");
  EXPECT_EQ(ErrorOf(Op("Sum", {OneOf({Any(), Rest()})})),
            "rule 'bad': Sum: an alternative is a Rest");
  EXPECT_EQ(ErrorOf(Op("Sum").Returns(0, Rest())), "rule 'bad': Sum: a result cannot be a Rest");
  EXPECT_EQ(ErrorOf(Op("If").Body("then_branch", {Rest(), Any()})),
            "rule 'bad': If: operand 0 is a Rest, and not the last");
  EXPECT_EQ(ErrorOf(Op("Sum", {Any().OfShape({1, -1})})),
            "rule 'bad': Sum: a shape has the extent -1");
}

std::vector<std::string_view> Candidates(const RuleSet& rules, const ir::Node& node) {
  std::vector<std::string_view> names;
  RuleIndex(rules, node.model()).ForEachCandidate(node, [&](const RewriteRule& rule) {
    names.push_back(rule.name);
    return true;
  });
  return names;
}

using Names = std::vector<std::string_view>;

TEST(RuleSet, OnlyRulesThatCouldFitAreTried) {
  const std::vector<RewriteRule> list = {
      Rule("any", Op("Add")),
      Rule("two", Op("Add", {Any(), Any()})),
      Rule("constant", Op("Add", {Any(), Constant()})),
      Rule("after-mul", Op("Add", {Op({"Mul", "Div"}, {Any(), Any()}), Any()})),
      Rule("vendor", Op("Add", {Op("Mul").InDomain("vendor"), Any()})),
      Rule("either", Op("Add", {Op("Mul"), Any()}).AnyOrder()),
      Rule("three", Op("Add", {Any(), Any(), Any()})),
      Rule("mul", Op("Mul")),
      Rule("outside", Op("Add", {Captured(Op("Mul")), Any()}))};
  const RuleSet rules = *RuleSet::Compile(list);
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Value* w = net.Init("w", {1});
  ir::Value* mul = net.Op("Mul", "m", {x, x});
  EXPECT_EQ(Candidates(rules, *net.Node("Add", "a", {x, x})), (Names{"any", "two"}));
  EXPECT_EQ(Candidates(rules, *net.Node("Add", "a", {x, w})), (Names{"any", "two", "constant"}));
  EXPECT_EQ(Candidates(rules, *net.Node("Add", "a", {mul, x})),
            (Names{"any", "two", "after-mul", "either"}));
  EXPECT_EQ(Candidates(rules, *net.Node("Add", "a", {x, mul})), (Names{"any", "two", "either"}));
  EXPECT_EQ(Candidates(rules, *net.Node("Add", "a", {x, x, x})), (Names{"any", "three"}));
  EXPECT_EQ(Candidates(rules, *mul->producer()), (Names{"mul"}));
  EXPECT_EQ(Candidates(rules, *net.Node("Relu", "r", {x})), (Names{}));
  ir::Node* own = net.Node("Mul", "own", {x, x});
  net.rewriter().SetOperator(*own, "Mul", "vendor");
  EXPECT_EQ(Candidates(rules, *net.Node("Add", "a", {own->output(), x})),
            (Names{"any", "two", "vendor"}));
  net.rewriter().SetOperator(*own, "Mul", "ai.onnx");
  EXPECT_EQ(Candidates(rules, *own), (Names{"mul"}));
}

// A random operand pattern, of all kinds.
Operand RandomOperand(std::mt19937& random, int depth);

Pattern RandomPattern(std::mt19937& random, int depth) {
  constexpr const char* kOps[] = {"Add", "Mul", "Relu", "Constant", "Identity"};
  const auto op = [&] { return std::string(kOps[random() % 5]); };
  if (random() % 8 == 0) return OneOf({RandomPattern(random, depth), Op(op())});
  if (depth == 0 || random() % 6 == 0) return Op(op());
  std::vector<Operand> operands;
  for (auto i = random() % 3 + 1; i > 0; --i) operands.push_back(RandomOperand(random, depth - 1));
  if (random() % 4 == 0) operands.push_back(random() % 2 == 0 ? Rest() : Rest(Constant()));
  Pattern pattern = Op(op(), std::move(operands));
  if (random() % 3 == 0) pattern = pattern.AnyOrder();
  return random() % 10 == 0 ? pattern.InDomain("own") : pattern;
}

Operand RandomOperand(std::mt19937& random, int depth) {
  switch (random() % 7) {
    case 0:
      return Constant();
    case 1:
      return Optional(RandomOperand(random, depth));
    case 2:
      return OneOf({RandomOperand(random, depth), Constant()});
    case 3:
      return Captured(RandomOperand(random, depth));
    case 4:
      return RandomPattern(random, depth);
    default:
      return Any();
  }
}

// A random graph with a body, omitted operands and operators of another domain.
void FillGraph(GraphBuilder& net, std::mt19937& random) {
  constexpr const char* kOps[] = {"Add", "Mul", "Relu", "Identity"};
  const auto fill = [&](ir::Graph& graph, std::vector<ir::Value*> values) {
    for (int i = 0; i < 30; ++i) {
      std::vector<ir::Value*> operands;
      for (auto n = random() % 4; n > 0; --n) {
        operands.push_back(random() % 8 == 0 ? nullptr : values[random() % values.size()]);
      }
      ir::Node* node = net.Node(graph, kOps[random() % 4], "n", operands);
      if (random() % 10 == 0) net.rewriter().SetOperator(*node, node->op_text(), "own");
      values.push_back(node->output());
    }
    return values;
  };
  ir::Value* constant = net.Op("Constant", "c", {}, {{"value", ir::Tensor::Scalar<float>(1)}});
  const std::vector<ir::Value*> values =
      fill(net.graph(), {net.Input("x"), net.Init("w", {1}), constant});
  ir::Node* branch = net.Node("If", "if", {values[0]});
  ir::Graph& body = net.rewriter().AddBody(*branch, net.model().Intern("then_branch"), false);
  std::vector<ir::Value*> seen;
  for (const size_t i : {1, 2, 5, 9, 20}) seen.push_back(&net.rewriter().Capture(body, *values[i]));
  fill(body, std::move(seen));
}

TEST(RuleSet, TheIndexRejectsNothingThatFits) {
  size_t fitting = 0;
  size_t rejected = 0;
  for (uint32_t seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    std::vector<std::string> names;
    for (int i = 0; i < 100; ++i) names.push_back("rule" + std::to_string(i));
    std::vector<RewriteRule> list;
    for (const std::string& name : names) list.push_back(Rule(name, RandomPattern(random, 2)));
    const StatusOr<RuleSet> rules = RuleSet::Compile(list);
    ASSERT_TRUE(rules.ok()) << FormatError(rules.status());
    GraphBuilder net;
    FillGraph(net, random);
    for (ir::Graph* graph : net.model().AllGraphs()) {
      for (ir::Node& node : graph->nodes()) {
        const Names tried = Candidates(*rules, node);
        size_t next = 0;
        for (const RewriteRule& rule : list) {
          const bool is_tried = next < tried.size() && tried[next] == rule.name;
          if (is_tried) ++next;
          if (FindMatch(rule.pattern, node)) {
            ++fitting;
            ASSERT_TRUE(is_tried) << rule.name << " fits a node and was not tried, seed " << seed;
          } else if (!is_tried) {
            ++rejected;
          }
        }
        ASSERT_EQ(next, tried.size()) << "out of order, or not of the set";
      }
    }
  }
  EXPECT_GT(fitting, 1000u);
  EXPECT_GT(rejected, 10000u);
}

}  // namespace
}  // namespace lathe::passes
