// Conditions on one node: operator set and attributes.
#include <gtest/gtest.h>

#include "lathe/passes/rewrite/pattern.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/rewrite/refusal_of.h"

namespace lathe::passes {
namespace {

TEST(NodeCondition, OpsetIsThatOfTheModel) {
  GraphBuilder net;  // opset 13
  ir::Node* node = net.Node("Relu", "r", {net.Input("x")});
  EXPECT_EQ(RefusalOf(Op("Relu").Opset(13), *node), "matched");
  EXPECT_EQ(RefusalOf(Op("Relu").Opset(7, 13), *node), "matched");
  EXPECT_EQ(RefusalOf(Op("Relu").Opset(14), *node), "node 'r': opset is 13, not 14 or higher");
  EXPECT_EQ(RefusalOf(Op("Relu").Opset(7, 12), *node), "node 'r': opset is 13, not 7 to 12");
}

TEST(NodeCondition, OpsetIsThatOfTheFunctionAndTheDomain) {
  GraphBuilder net;
  ir::Function& function =
      net.rewriter().AddFunction(net.model().Intern("own"), net.model().Intern("F"), {});
  net.rewriter().SetFunctionInterface(function, {}, {}, {{"ai.onnx", 9}, {"own", 2}});
  ir::Node* outer = net.Node("If", "if", {net.Input("c", {})});
  ir::Node* inner = net.Node(function.body(), "Relu", "f", {net.Input(function.body(), "y", {1})});
  EXPECT_EQ(RefusalOf(Op("Relu").Opset(10), *inner), "node 'f': opset is 9, not 10 or higher");
  net.rewriter().SetOperator(*inner, "Relu", "own");
  EXPECT_EQ(RefusalOf(Op("Relu").InDomain("own").Opset(2, 2), *inner), "matched");
  // A domain that nobody imports has version 0.
  net.rewriter().SetOperator(*inner, "Relu", "other");
  EXPECT_EQ(RefusalOf(Op("Relu").InDomain("other").Opset(1), *inner),
            "node 'f': opset is 0, not 1 or higher");
  ir::Graph& body = net.rewriter().AddBody(*outer, net.model().Intern("then_branch"), false);
  ir::Node* in_body = net.Node(body, "Relu", "b", {net.Init(body, "w", {1})});
  EXPECT_EQ(RefusalOf(Op("Relu").Opset(13, 13), *in_body), "matched");
}

TEST(NodeCondition, AttributeHasAValue) {
  GraphBuilder net;
  ir::Value* x = net.Input("x");
  ir::Node* node = net.Node("Foo", "n", {x},
                            {{"axis", int64_t{2}},
                             {"alpha", 0.5f},
                             {"mode", std::string("linear")},
                             {"pads", std::vector<int64_t>{0, 1}},
                             {"scales", std::vector<float>{1, 2}},
                             {"names", std::vector<std::string>{"a"}},
                             {"value", ir::Tensor::Scalar<float>(3)}});
  const std::vector<std::pair<std::string, ir::PlainAttribute>> same = {
      {"axis", 2},
      {"alpha", 0.5f},
      {"mode", "linear"},
      {"pads", std::vector<int64_t>{0, 1}},
      {"scales", std::vector<float>{1, 2}},
      {"names", std::vector<std::string>{"a"}},
      {"value", ir::Tensor::Scalar<float>(3)}};
  for (const auto& [name, value] : same) {
    EXPECT_EQ(RefusalOf(Op("Foo").Attr(name, value), *node), "matched") << name;
    EXPECT_EQ(RefusalOf(Op("Foo").AttrOrAbsent(name, value), *node), "matched") << name;
  }
  const std::vector<std::tuple<std::string, ir::PlainAttribute, std::string>> other = {
      {"axis", 1, "attribute 'axis' is 2, not 1"},
      {"axis", 2.0f, "attribute 'axis' is another kind of 2"},
      {"alpha", 0.25f, "attribute 'alpha' is 0.5, not 0.25"},
      {"mode", "cubic", "attribute 'mode' is 'linear', not 'cubic'"},
      {"pads", std::vector<int64_t>{0}, "attribute 'pads' is [0, 1], not [0]"},
      {"scales", std::vector<float>{1, 3}, "attribute 'scales' is [1, 2], not [1, 3]"},
      {"names", std::vector<std::string>{"b"}, "attribute 'names' is ['a'], not ['b']"},
      {"value", ir::Tensor::Scalar<float>(4), "attribute 'value' is another tensor"},
      {"value", 4, "attribute 'value' is a tensor, not 4"}};
  for (const auto& [name, value, text] : other) {
    EXPECT_EQ(RefusalOf(Op("Foo").Attr(name, value), *node), "node 'n': " + text);
    EXPECT_EQ(RefusalOf(Op("Foo").AttrOrAbsent(name, value), *node), "node 'n': " + text);
  }
  EXPECT_EQ(RefusalOf(Op("Foo").Attr("group", 1), *node),
            "node 'n': attribute 'group' is absent, 1 is asked for");
  EXPECT_EQ(RefusalOf(Op("Foo").AttrOrAbsent("group", 1), *node), "matched");
}

TEST(NodeCondition, ZeroIsNotMinusZero) {
  GraphBuilder net;
  ir::Node* node = net.Node("Foo", "n", {net.Input("x")}, {{"alpha", -0.0f}});
  EXPECT_EQ(RefusalOf(Op("Foo").Attr("alpha", 0.0f), *node),
            "node 'n': attribute 'alpha' is -0, not 0");
  EXPECT_EQ(RefusalOf(Op("Foo").Attr("alpha", -0.0f), *node), "matched");
}

TEST(NodeCondition, AnAttributeOfTheFunctionAroundHasNoKnownValue) {
  GraphBuilder net;
  ir::Node* node = net.Node("Foo", "n", {net.Input("x")});
  ir::Attribute attribute;
  attribute.name = net.model().Intern("axis");
  attribute.reference = net.model().Intern("outer_axis");
  attribute.reference_kind = ir::AttributeKind::kInt;
  net.rewriter().AddAttribute(*node, std::move(attribute));
  EXPECT_EQ(RefusalOf(Op("Foo").AttrOrAbsent("axis", 1), *node),
            "node 'n': attribute 'axis' is the function's own, not 1");
}

TEST(NodeCondition, AttributesHaveNamedConditions) {
  GraphBuilder net;
  ir::Node* node = net.Node("Foo", "n", {net.Input("x")}, {{"axis", int64_t{-1}}});
  const auto counts_from_front = [](const ir::Attribute* axis) {
    const int64_t* value = axis == nullptr ? nullptr : axis->get_if<int64_t>();
    return value != nullptr && *value >= 0;
  };
  const Pattern pattern = Op("Foo").AttrWhere("axis", "counts from the front", counts_from_front);
  Refusal refusal;
  EXPECT_FALSE(FindMatch(pattern, *node, &refusal));
  EXPECT_EQ(refusal.ToText(),
            "node 'n': condition 'attribute axis counts from the front' does not hold");
  EXPECT_TRUE(refusal.by_condition);
  net.rewriter().SetAttribute(*node, "axis", int64_t{0});
  EXPECT_EQ(RefusalOf(pattern, *node), "matched");
  net.rewriter().RemoveAttribute(*node, "axis");
  EXPECT_NE(RefusalOf(pattern, *node), "matched");
}

}  // namespace
}  // namespace lathe::passes
