#include "lathe/passes/rewrite/convert_to_legal.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/rewrite/rule_runner.h"

namespace lathe::passes {
namespace {

class ConvertToLegalTest : public RuleRunner {
 protected:
  StatusOr<RewriteResult> Convert(std::vector<RewriteRule> list,
                                  std::function<bool(const ir::Node&)> is_legal,
                                  RewriteOptions options = {}) {
    LATHE_ASSIGN_OR_RETURN(const RuleSet rules, RuleSet::Compile(list));
    return WithContextOf([&](PassContext& context) {
      return ConvertToLegal(rules, std::move(is_legal), context, options);
    });
  }
};

bool IsRelu(const ir::Node& node) { return node.Is("Relu"); }

TEST_F(ConvertToLegalTest, GoesOverSeveralSteps) {
  net_.Output(net_.Op("Tanh", "b", {net_.Op("Sigmoid", "a", {net_.Input("x")})}));
  const auto result = Convert({Rename("Sigmoid", "Tanh"), Rename("Tanh", "Relu")}, IsRelu);
  ASSERT_TRUE(result.ok()) << FormatError(result.status());
  EXPECT_EQ(result->applied, 3);
  EXPECT_EQ(Listing(net_.graph()), "a = Relu(x)\nb = Relu(a)\nreturn b\n");
}

TEST_F(ConvertToLegalTest, LegalNodesAreLeftAlone) {
  net_.Output(net_.Op("Relu", "a", {net_.Input("x")}));
  const auto result = Convert({Rename("Relu", "Tanh")}, IsRelu);
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->changed());
}

TEST_F(ConvertToLegalTest, OffendersAreListedWithTheReason) {
  ir::Value* x = net_.Input("x");
  ir::Value* foo = net_.Op("Foo", "foo", {x});
  ir::Value* tanh = net_.Op("Tanh", "tanh", {foo});
  net_.Output(net_.Op("Sigmoid", "sigmoid", {tanh}));
  const RewriteRule needs_constant = {"needs-constant", Op("Tanh", {Constant()}), Nothing};
  const RewriteRule needs_exp = {"needs-exp", Op("Sigmoid", {Op("Tanh", {Op("Exp")})}), Nothing};
  const auto result = Convert({needs_constant, needs_exp}, IsRelu);
  EXPECT_EQ(FormatError(result.status()),
            "3 nodes have no legal form: 'foo' (Foo): no rule is for it; 'tanh' (Tanh): "
            "needs-constant: operand 0 is not constant; 'sigmoid' (Sigmoid): needs-exp: node "
            "'foo': Foo is not Exp");
}

TEST_F(ConvertToLegalTest, ManyOffendersAreCounted) {
  ir::Value* value = net_.Input("x");
  for (int i = 0; i < 12; ++i) value = net_.Op("Foo", "f" + std::to_string(i), {value});
  net_.Output(value);
  const std::string error = FormatError(Convert({}, IsRelu).status());
  EXPECT_TRUE(error.starts_with("12 nodes have no legal form: 'f0' (Foo): no rule is for it; "))
      << error;
  EXPECT_TRUE(error.ends_with("'f9' (Foo): no rule is for it; and 2 more")) << error;
}

TEST_F(ConvertToLegalTest, OneOffender) {
  net_.Output(net_.Op("Foo", "f", {net_.Input("x")}));
  EXPECT_EQ(FormatError(Convert({}, IsRelu).status()),
            "1 node has no legal form: 'f' (Foo): no rule is for it");
}

TEST_F(ConvertToLegalTest, BodiesCount) {
  ir::Node* branch = net_.Node("If", "if", {net_.Input("cond", {})});
  ir::Graph& body = net_.rewriter().AddBody(*branch, net_.model().Intern("then_branch"), false);
  net_.Node(body, "Tanh", "inner", {net_.Init(body, "w", {1})});
  const auto is_legal = [](const ir::Node& node) { return !node.Is("Tanh"); };
  EXPECT_EQ(FormatError(Convert({}, is_legal).status()),
            "1 node has no legal form: 'inner' (Tanh): no rule is for it");
  EXPECT_TRUE(Convert({}, is_legal, {.bodies = false}).ok());
  EXPECT_TRUE(Convert({Rename("Tanh", "Relu")}, is_legal).ok());
}

}  // namespace
}  // namespace lathe::passes
