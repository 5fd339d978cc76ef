#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder.h"
#include "lathe/ir/schema/ascend_ops.h"
#include "lathe/ir/schema/operator_schema.h"
#include "lathe/ir/schema/verify_operators.h"

namespace lathe::ir {
namespace {

TEST(OperatorSchema, OfTheVersionAskedFor) {
  const auto old_form = LookupSchema("", "Clip", 7);
  const auto new_form = LookupSchema("ai.onnx", "Clip", 17);
  ASSERT_TRUE(old_form && new_form);
  EXPECT_EQ(old_form->since_version, 6);
  EXPECT_EQ(old_form->inputs.size(), 1u);
  EXPECT_EQ(new_form->since_version, 13);
  ASSERT_EQ(new_form->inputs.size(), 3u);
  EXPECT_EQ(new_form->inputs[1].name, "min");
  EXPECT_TRUE(new_form->inputs[1].optional);
  EXPECT_FALSE(new_form->inputs[0].optional);
}

TEST(OperatorSchema, Variadic) {
  const auto concat = LookupSchema("", "Concat", 17);
  ASSERT_TRUE(concat);
  EXPECT_TRUE(concat->inputs[0].variadic);
  ASSERT_EQ(concat->attributes.size(), 1u);
  EXPECT_EQ(concat->attributes[0].name, "axis");
  EXPECT_TRUE(concat->attributes[0].required);
}

TEST(OperatorSchema, UnknownIsNothing) {
  EXPECT_FALSE(LookupSchema("", "NoSuchOperator", 17));
  EXPECT_FALSE(LookupSchema("some.domain", "Conv", 17));
  EXPECT_FALSE(LookupSchema("", "Conv", 0));
}

TEST(AscendOperators, AreFoundInTheirDomain) {
  const auto quant = LookupSchema("", "AscendQuant", 17);
  ASSERT_TRUE(quant);
  EXPECT_EQ(quant->max_inputs, 1);
  EXPECT_TRUE(LookupSchema("ai.onnx", "AscendDequant", 0));
  EXPECT_TRUE(LookupSchema("lathe", "Observe", 0));
  EXPECT_FALSE(LookupSchema("", "Observe", 17));
  EXPECT_EQ(FindAscendOperator("lathe", "AscendQuant"), nullptr);
}

TEST(AscendOperators, AreSorted) {
  const auto all = AscendOperators();
  EXPECT_TRUE(std::ranges::is_sorted(
      all, {}, [](const OperatorSchema& schema) { return std::pair(schema.domain, schema.name); }));
  for (const OperatorSchema& schema : all) {
    EXPECT_TRUE(std::ranges::is_sorted(schema.attributes, {}, &OperatorSchema::AttributeInfo::name))
        << schema.name;
  }
}

class VerifyOperatorsTest : public testing::Test {
 protected:
  VerifyOperatorsTest() { rewriter_.MutableInfo().opset_imports = {{"", 17}}; }
  std::string Verify() const {
    const Status status = VerifyOperators(model_);
    return status.ok() ? "" : FormatError(status);
  }
  Model model_;
  Rewriter rewriter_{model_};
  Graph& graph_ = model_.graph();
  Value& x_ = Input(rewriter_, graph_, "x");
};

TEST_F(VerifyOperatorsTest, UnknownOperatorsAndFunctionsPass) {
  Op(rewriter_, graph_, "NoSuchOperator", "a", {&x_});
  rewriter_.AddFunction({}, model_.Intern("Relu"), {});
  Op(rewriter_, graph_, "Relu", "b", {&x_, &x_});
  EXPECT_EQ(Verify(), "");
}

TEST_F(VerifyOperatorsTest, NumberOfInputs) {
  Op(rewriter_, graph_, "Relu", "relu", {&x_, &x_});
  EXPECT_EQ(Verify(), "node 'relu': Relu takes 1 inputs, this one has 2");
}

TEST_F(VerifyOperatorsTest, RangeOfInputs) {
  Op(rewriter_, graph_, "Conv", "conv", {&x_});
  EXPECT_EQ(Verify(), "node 'conv': Conv takes 2 to 3 inputs, this one has 1");
}

TEST_F(VerifyOperatorsTest, VariadicInputs) {
  Op(rewriter_, graph_, "Sum", "sum", {});
  EXPECT_EQ(Verify(), "node 'sum': Sum takes at least 1 inputs, this one has 0");
}

TEST_F(VerifyOperatorsTest, RequiredInput) {
  Op(rewriter_, graph_, "Conv", "conv", {&x_, nullptr});
  EXPECT_EQ(Verify(), "node 'conv': Conv needs its input 1 ('W'), which is left out");
}

TEST_F(VerifyOperatorsTest, RequiredAttribute) {
  Node& node = Op(rewriter_, graph_, "Concat", "join", {&x_, &x_});
  EXPECT_EQ(Verify(), "node 'join': Concat needs the attribute 'axis'");
  rewriter_.SetAttribute(node, "axis", int64_t{0});
  EXPECT_EQ(Verify(), "");
}

TEST_F(VerifyOperatorsTest, NumberOfOutputs) {
  NodeSpec spec;
  spec.op = "Relu";
  spec.name = "relu";
  spec.inputs = {&x_};
  spec.outputs = {"a", "b"};
  rewriter_.CreateNode(graph_, nullptr, spec);
  EXPECT_EQ(Verify(), "node 'relu': Relu has 1 outputs, this one has 2");
}

}  // namespace
}  // namespace lathe::ir
