#include "lathe/ir/verifier.h"

#include <gtest/gtest.h>

#include "builder.h"
#include "lathe/ir/use_list.h"

namespace lathe::ir {
namespace {

// x → a → b → output, and an If whose body captures x.
class VerifierTest : public testing::Test {
 protected:
  VerifierTest() {
    rewriter_.SetGraphText(graph_, "main", "", {});
    rewriter_.AddListener(&touched_);
    rewriter_.SetGraphText(body_, "then", "", {});
    rewriter_.AddGraphOutput(body_, inner_.output());
    rewriter_.AddGraphOutput(graph_, b_.output());
    EXPECT_EQ(Full(), "");
    EXPECT_EQ(Touched(), "");
  }

  std::string Full() const {
    const Status status = VerifyModel(model_);
    return status.ok() ? "" : FormatError(status);
  }
  std::string Touched() {
    const Status status = touched_.Verify();
    return status.ok() ? "" : FormatError(status);
  }

  Model model_;
  TouchedVerifier touched_{model_};
  Rewriter rewriter_{model_};
  Graph& graph_ = model_.graph();
  Value& x_ = Input(rewriter_, graph_, "x");
  Node& a_ = Op(rewriter_, graph_, "Relu", "a", {&x_});
  Node& b_ = Op(rewriter_, graph_, "Relu", "b", {a_.output()});
  Node& if_ = Op(rewriter_, graph_, "If", "if", {&x_});
  Graph& body_ = rewriter_.AddBody(if_, model_.Intern("then_branch"), false);
  Node& inner_ = Op(rewriter_, body_, "Relu", "inner", {&rewriter_.Capture(body_, x_)});
};

TEST_F(VerifierTest, UseBeforeDefinition) {
  rewriter_.Move(a_, nullptr);
  EXPECT_EQ(Full(), "node 'b': input 0 is value 'a.out', which node 'a' defines only later");
  EXPECT_EQ(Touched(), "node 'b': input 0 is value 'a.out', which node 'a' defines only later");
}

TEST_F(VerifierTest, UseOfOwnResult) {
  rewriter_.SetInput(a_, 0, a_.output());
  EXPECT_EQ(Full(), "node 'a': input 0 is value 'a.out', which node 'a' defines only later");
  EXPECT_EQ(Touched(), Full());
}

TEST_F(VerifierTest, UseOfErasedValue) {
  rewriter_.Erase(a_);
  const std::string message =
      fmt::format("node 'b': input 0 is erased value 'a.out' (id {})", b_.input(0)->id());
  EXPECT_EQ(Full(), message);
}

TEST_F(VerifierTest, BodyUsesOuterValueWithoutCapture) {
  rewriter_.SetInput(inner_, 0, a_.output());
  const std::string message =
      "node 'inner': input 0 is value 'a.out' of graph 'main'; a body reaches it through a capture";
  EXPECT_EQ(Full(), message);
  EXPECT_EQ(Touched(), message);
}

TEST_F(VerifierTest, OuterNodeUsesBodyValue) {
  rewriter_.SetInput(b_, 0, inner_.output());
  EXPECT_EQ(Full(),
            "node 'b': input 0 is value 'inner.out' of body 'then' of node 'if'; a body reaches it "
            "through a capture");
}

TEST_F(VerifierTest, CaptureOfNothing) {
  rewriter_.ReplaceUse(if_.captures()[0], nullptr);
  EXPECT_EQ(Touched(), "node 'if': capture 0 captures nothing");
  EXPECT_EQ(Full(), "node 'if': capture 0 captures nothing");
}

TEST_F(VerifierTest, OutputWithoutValue) {
  rewriter_.ReplaceUse(graph_.outputs()[0], nullptr);
  EXPECT_EQ(Full(), "node 'outputs of graph 'main'': output 0 has no value");
  EXPECT_EQ(Touched(), Full());
}

TEST_F(VerifierTest, NameOfTwoOutputs) {
  rewriter_.Rename(*b_.output(), a_.output()->name());
  EXPECT_EQ(Full(),
            "node 'b': the name 'a.out' of its output 0 means another value of graph 'main' too");
}

TEST_F(VerifierTest, NameOfTwoInputs) {
  Input(rewriter_, graph_, "x");
  EXPECT_EQ(Full(), "graph 'main': the name 'x' means two values");
}

TEST_F(VerifierTest, NameHidesCapture) {
  rewriter_.Rename(*inner_.output(), x_.name());
  EXPECT_EQ(Full(),
            "body 'then' of node 'if': the name 'x' means a captured value and another one");
}

TEST_F(VerifierTest, SiblingBodiesMayShareNames) {
  Graph& other = rewriter_.AddBody(if_, model_.Intern("else_branch"), false);
  rewriter_.AddGraphOutput(
      other, &rewriter_.AddInitializer(other, inner_.output()->name(), Tensor::Scalar(1.0f)));
  EXPECT_EQ(Full(), "");
}

TEST_F(VerifierTest, UsedValuesNeedNames) {
  rewriter_.Rename(*a_.output(), {});
  EXPECT_EQ(Full(), "node 'b': input 0 is a value without a name");
  rewriter_.SetInput(b_, 0, &x_);
  EXPECT_EQ(Full(), "");
  rewriter_.Rename(*b_.output(), {});
  EXPECT_EQ(Full(), "graph 'main': output 0 has no name");
}

TEST_F(VerifierTest, InputsAndCapturedValuesNeedNames) {
  rewriter_.Rename(x_, {});
  EXPECT_EQ(Full(), "graph 'main': input 0 has no name");
}

TEST_F(VerifierTest, ForeignType) {
  Model other;
  rewriter_.SetType(*a_.output(), F32(other, {1}));
  EXPECT_EQ(Full(), "graph 'main': the type of value 'a.out' is not from the model's table");
  EXPECT_EQ(Touched(), Full());
}

TEST_F(VerifierTest, ForeignTypeOfValueInfo) {
  Model other;
  rewriter_.AddValueInfo(graph_, {a_.output(), {}, nullptr});
  EXPECT_EQ(Full(), "");
  rewriter_.AddValueInfo(graph_, {a_.output(), {}, F32(other, {1})});
  EXPECT_EQ(Full(), "graph 'main': the type of a value info is not from the model's table");
}

TEST_F(VerifierTest, ValueInfoOfAnotherGraph) {
  rewriter_.AddValueInfo(graph_, {inner_.output(), {}, model_.unknown_type()});
  EXPECT_EQ(Full(),
            "graph 'main': value info of value 'inner.out', which is of body 'then' of node 'if'");
}

TEST_F(VerifierTest, ValueInfoOfErasedValueStandsForNothing) {
  rewriter_.AddValueInfo(graph_, {b_.output(), {}, model_.unknown_type()});
  rewriter_.ReplaceUse(graph_.outputs()[0], a_.output());
  rewriter_.Erase(b_);
  EXPECT_EQ(Full(), "");
}

TEST_F(VerifierTest, FunctionDefinedTwice) {
  for (int i = 0; i < 2; ++i) rewriter_.AddFunction({}, model_.Intern("f"), {});
  EXPECT_EQ(Full(), "function 'f': is defined twice");
}

TEST_F(VerifierTest, FunctionAttributeNamedTwice) {
  Function& function = rewriter_.AddFunction({}, model_.Intern("f"), {});
  rewriter_.SetFunctionInterface(function, {a_.name(), a_.name()}, {}, {});
  EXPECT_EQ(Full(), "function 'f': names an attribute twice");
}

TEST_F(VerifierTest, InitializerListedTwice) {
  rewriter_.SetDefault(x_, Tensor::Scalar(1.0f));
  EXPECT_EQ(Full(), "");
  Value& w = rewriter_.CreateInitializer(graph_, "w", Tensor::Scalar(1.0f));
  rewriter_.SetTensor(w, Tensor::Scalar(2.0f));
  EXPECT_EQ(Full(), "");
}

TEST_F(VerifierTest, OperandMissingFromUseList) {
  Use& use = b_.inputs()[0];
  UseList::Remove(use);
  UseList::Add(use, a_.output());
  EXPECT_EQ(Full(), "");
  Use stray;
  UseList::Relocate(use, stray);
  EXPECT_EQ(Full(), "graph 'main': use 0 of value 'a.out' is no operand of a node");
  UseList::Relocate(stray, use);
}

TEST_F(VerifierTest, StrangerInUseList) {
  Use stray;
  UseList::Add(stray, a_.output());
  EXPECT_EQ(Full(), "graph 'main': use 1 of value 'a.out' is no operand of a node");
  UseList::Remove(stray);
}

TEST_F(VerifierTest, TouchedForgetsWhatItChecked) {
  rewriter_.Move(a_, nullptr);
  EXPECT_NE(Touched(), "");
  EXPECT_EQ(Touched(), "");
  rewriter_.Move(a_, &b_);
  EXPECT_EQ(Touched(), "");
}

}  // namespace
}  // namespace lathe::ir
