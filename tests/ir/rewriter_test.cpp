#include "lathe/ir/rewriter.h"

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder.h"
#include "lathe/ir/verifier.h"

namespace lathe::ir {
namespace {

using testing::ElementsAre;

class RewriterTest : public testing::Test {
 protected:
  ~RewriterTest() override {
    const Status status = VerifyModel(model_);
    EXPECT_TRUE(status.ok()) << FormatError(status);
  }

  Model model_;
  Rewriter rewriter_{model_};
  Graph& graph_ = model_.graph();
};

TEST_F(RewriterTest, CreatesNodesInPlaceWithUniqueNames) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& first = Op(rewriter_, graph_, "Relu", "relu", {&x});
  NodeSpec spec;
  spec.op = "Relu";
  spec.name = "relu";
  spec.inputs = {&x};
  spec.attributes = {{"alpha", 0.5f}};
  Node& second = rewriter_.CreateNode(graph_, &first, std::move(spec));
  EXPECT_THAT(NodeNames(graph_), ElementsAre("relu1", "relu"));
  EXPECT_EQ(second.output()->name_text(), "relu1.output0");
  EXPECT_EQ(second.FloatAttribute("alpha", 0), 0.5f);
  EXPECT_EQ(x.use_count(), 2u);
  EXPECT_TRUE(second.IsBefore(first));
  EXPECT_FALSE(first.IsBefore(second));
  EXPECT_TRUE(first.IsBefore(*graph_.return_node()));
  EXPECT_FALSE(graph_.return_node()->IsBefore(first));
}

TEST_F(RewriterTest, CreatedNodesInheritTheOrigin) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& a = Op(rewriter_, graph_, "Relu", "a", {&x});
  Node& b = Op(rewriter_, graph_, "Relu", "b", {&x});
  rewriter_.SetOrigin(a, model_.OriginOf(a.name()));
  rewriter_.SetOrigin(b, model_.OriginOf(b.name()));
  {
    const std::array<Node*, 2> both = {&b, &a};
    const Rewriter::OriginScope scope(rewriter_, both);
    Node& c = Op(rewriter_, graph_, "Relu", "c", {&x});
    EXPECT_THAT(model_.OriginNames(c.origin()), ElementsAre(a.name(), b.name()));
    {
      const Rewriter::OriginScope inner(rewriter_, a);
      EXPECT_EQ(Op(rewriter_, graph_, "Relu", "d", {&x}).origin(), a.origin());
    }
    EXPECT_EQ(Op(rewriter_, graph_, "Relu", "e", {&x}).origin(), c.origin());
  }
  EXPECT_EQ(Op(rewriter_, graph_, "Relu", "f", {&x}).origin(), Origin{});
}

TEST_F(RewriterTest, ReplaceUseKeepsAnnotationAndOrderOfUses) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& y = Input(rewriter_, graph_, "y");
  Node& a = Op(rewriter_, graph_, "Add", "a", {&x, &x});
  Node& b = Op(rewriter_, graph_, "Relu", "b", {&x});
  rewriter_.SetAnnotation(a.inputs()[0], model_.Intern("mark"));
  rewriter_.ReplaceUse(a.inputs()[0], &y);
  EXPECT_EQ(model_.Text(a.inputs()[0].annotation()), "mark");
  EXPECT_THAT(Users(x), ElementsAre(&a, &b));
  EXPECT_THAT(Users(y), ElementsAre(&a));
  rewriter_.ReplaceAllUses(x, y);
  EXPECT_FALSE(x.has_uses());
  EXPECT_THAT(Users(y), ElementsAre(&a, &a, &b));
}

TEST_F(RewriterTest, ReplaceValueKeepsTheOutputName) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& a = Op(rewriter_, graph_, "Relu", "a", {&x});
  Node& b = Op(rewriter_, graph_, "Relu", "b", {&x});
  rewriter_.Rename(*a.output(), model_.Intern("y"));
  rewriter_.AddGraphOutput(graph_, a.output());
  rewriter_.SetType(*a.output(), F32(model_, {2, 3}));
  rewriter_.SetNotes(*a.output(), {.doc = "the result"});
  rewriter_.ReplaceValue(*a.output(), *b.output());
  EXPECT_EQ(b.output()->name_text(), "y");
  EXPECT_EQ(b.output()->type_ref(), F32(model_, {2, 3}));
  ASSERT_NE(b.output()->notes(), nullptr);
  EXPECT_EQ(b.output()->notes()->doc, "the result");
  EXPECT_EQ(a.output()->name_text(), "b.out");
  EXPECT_EQ(graph_.outputs()[0].value(), b.output());
}

TEST_F(RewriterTest, ReplaceValueByAnInputNeedsAnIdentity) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& a = Op(rewriter_, graph_, "Relu", "a", {&x});
  Node& b = Op(rewriter_, graph_, "Relu", "b", {a.output()});
  rewriter_.Rename(*a.output(), model_.Intern("y"));
  rewriter_.AddGraphOutput(graph_, a.output());
  rewriter_.SetNotes(*a.output(), {.doc = "the result"});
  rewriter_.ReplaceNode(a, x);
  const Value* output = graph_.outputs()[0].value();
  EXPECT_EQ(output->notes()->doc, "the result");
  EXPECT_EQ(output->name_text(), "y");
  EXPECT_TRUE(output->producer()->Is("Identity"));
  EXPECT_EQ(b.input(0), &x);
}

TEST_F(RewriterTest, ReplaceValueByAnotherOutputNeedsAnIdentity) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& a = Op(rewriter_, graph_, "Relu", "a", {&x});
  Node& b = Op(rewriter_, graph_, "Relu", "b", {&x});
  rewriter_.AddGraphOutput(graph_, a.output());
  rewriter_.AddGraphOutput(graph_, b.output());
  rewriter_.ReplaceNode(a, *b.output());
  EXPECT_EQ(graph_.outputs()[0].value()->name_text(), "a.out");
  EXPECT_EQ(graph_.outputs()[1].value()->name_text(), "b.out");
}

TEST_F(RewriterTest, AnUnknownTypeDoesNotReplaceAKnownOne) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& a = Op(rewriter_, graph_, "Relu", "a", {&x});
  Node& b = Op(rewriter_, graph_, "Relu", "b", {&x});
  rewriter_.AddGraphOutput(graph_, a.output());
  rewriter_.SetType(*b.output(), F32(model_, {2, 3}));
  rewriter_.ReplaceValue(*a.output(), *b.output());
  EXPECT_EQ(b.output()->type_ref(), F32(model_, {2, 3}));
}

TEST_F(RewriterTest, TheNodeThatTakesAnothersPlaceGetsItsNotes) {
  Value& x = Input(rewriter_, graph_, "x");
  const auto replace = [&](const char* name, bool same_origin, bool own_notes) {
    Node& old = Op(rewriter_, graph_, "Relu", name, {&x});
    rewriter_.SetOrigin(old, model_.OriginOf(old.name()));
    rewriter_.SetNotes(old, {.doc = "old", .metadata = {{"key", "value"}}});
    std::optional<Rewriter::OriginScope> scope;
    if (same_origin) scope.emplace(rewriter_, old);
    Node& made = Op(rewriter_, graph_, "Clip", std::string(name) + "_new", {&x});
    if (own_notes) rewriter_.SetNotes(made, {.doc = "own"});
    rewriter_.ReplaceNode(old, *made.output());
    return made.notes() == nullptr ? std::string("none") : made.notes()->doc;
  };
  EXPECT_EQ(replace("a", true, false), "old");
  EXPECT_EQ(graph_.last_node()->notes()->metadata.front().second, "value");
  EXPECT_EQ(replace("b", true, true), "own");
  // A neighbour that only takes over the uses stays what it is.
  EXPECT_EQ(replace("c", false, false), "none");
}

TEST_F(RewriterTest, ReplacedInputKeepsItsName) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& a = Op(rewriter_, graph_, "Relu", "a", {&x});
  rewriter_.AddGraphOutput(graph_, &x);
  rewriter_.ReplaceUse(graph_.outputs()[0], &x);
  Node& b = Op(rewriter_, graph_, "Neg", "b", {});
  rewriter_.ReplaceValue(x, *b.output());
  rewriter_.Move(b, &a);
  EXPECT_EQ(x.name_text(), "x");
  EXPECT_EQ(b.output()->name_text(), "b.out");
  EXPECT_EQ(graph_.outputs()[0].value(), b.output());
}

TEST_F(RewriterTest, AValueKnowsWhetherItIsAnOutput) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& a = *Op(rewriter_, graph_, "Relu", "a", {&x}).output();
  EXPECT_FALSE(a.is_graph_output());
  rewriter_.AddGraphOutput(graph_, &a);
  rewriter_.AddGraphOutput(graph_, &a);
  EXPECT_TRUE(a.is_graph_output());
  rewriter_.ReplaceUse(graph_.outputs()[0], &x);
  EXPECT_TRUE(a.is_graph_output());
  EXPECT_TRUE(x.is_graph_output());
  rewriter_.ReplaceUse(graph_.outputs()[1], &x);
  EXPECT_FALSE(a.is_graph_output());
}

TEST_F(RewriterTest, OperandsGrowAndShrink) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& y = Input(rewriter_, graph_, "y");
  Node& sum = Op(rewriter_, graph_, "Sum", "sum", {});
  for (int i = 0; i < 9; ++i) rewriter_.AddInput(sum, i % 2 == 0 ? &x : nullptr);
  EXPECT_EQ(x.use_count(), 5u);
  EXPECT_EQ(sum.num_inputs(), 9u);
  EXPECT_EQ(sum.input(1), nullptr);
  rewriter_.SetInput(sum, 1, &y);
  rewriter_.TruncateInputs(sum, 2);
  EXPECT_EQ(x.use_count(), 1u);
  EXPECT_EQ(sum.input(1), &y);
  EXPECT_EQ(sum.input(2), nullptr);
}

TEST_F(RewriterTest, EraseTakesBodiesAlong) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& node = Op(rewriter_, graph_, "If", "if", {&x});
  Graph& body = rewriter_.AddBody(node, model_.Intern("then_branch"), false);
  Value& inner = rewriter_.Capture(body, x);
  Node& relu = Op(rewriter_, body, "Relu", "relu", {&inner});
  rewriter_.AddGraphOutput(body, relu.output());
  EXPECT_EQ(x.use_count(), 2u);
  const NodeId relu_id = relu.id();
  rewriter_.Erase(node);
  EXPECT_EQ(model_.FindNode(relu_id), nullptr);
  EXPECT_EQ(x.use_count(), 0u);
  EXPECT_EQ(graph_.num_nodes(), 0u);
}

TEST_F(RewriterTest, CapturesGoThroughEveryLevel) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& outer = Op(rewriter_, graph_, "If", "outer", {&x});
  Graph& middle = rewriter_.AddBody(outer, model_.Intern("then_branch"), false);
  Node& inner = Op(rewriter_, middle, "If", "inner", {&rewriter_.Capture(middle, x)});
  Graph& deep = rewriter_.AddBody(inner, model_.Intern("else_branch"), false);
  Value& captured = rewriter_.Capture(deep, x);
  EXPECT_EQ(captured.Resolve(), &x);
  EXPECT_EQ(&rewriter_.Capture(deep, x), &captured);
  EXPECT_EQ(outer.captures().size(), 1u);
  EXPECT_EQ(inner.captures().size(), 1u);
  EXPECT_EQ(&rewriter_.Capture(deep, captured), &captured);
}

TEST_F(RewriterTest, CaptureFollowsNameAndTypeOfItsValue) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& y = Input(rewriter_, graph_, "y");
  Node& node = Op(rewriter_, graph_, "If", "if", {&x});
  Graph& body = rewriter_.AddBody(node, model_.Intern("then_branch"), false);
  Value& inner = rewriter_.Capture(body, x);
  rewriter_.Rename(x, model_.Intern("z"));
  EXPECT_EQ(inner.name_text(), "z");
  rewriter_.SetType(inner, F32(model_, {7}));
  EXPECT_EQ(x.type_ref(), F32(model_, {7}));
  rewriter_.ReplaceAllUses(x, y);
  EXPECT_EQ(inner.name_text(), "y");
}

TEST_F(RewriterTest, UnusedCapturesGo) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& y = Input(rewriter_, graph_, "y");
  Value& z = Input(rewriter_, graph_, "z");
  Node& node = Op(rewriter_, graph_, "If", "if", {&x});
  Graph& body = rewriter_.AddBody(node, model_.Intern("then_branch"), false);
  rewriter_.Capture(body, x);
  rewriter_.AddGraphOutput(body, &rewriter_.Capture(body, y));
  rewriter_.Capture(body, z);
  rewriter_.EraseUnusedCaptures(node);
  EXPECT_EQ(node.captures().size(), 1u);
  EXPECT_EQ(node.captures()[0].value(), &y);
  EXPECT_EQ(body.outputs()[0].value()->Resolve(), &y);
  EXPECT_FALSE(z.has_uses());
}

TEST_F(RewriterTest, InputsAndCapturesDoNotDisturbEachOther) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& y = Input(rewriter_, graph_, "y");
  Node& node = Op(rewriter_, graph_, "Loop", "loop", {&x});
  Graph& body = rewriter_.AddBody(node, model_.Intern("body"), false);
  Value& inner = rewriter_.Capture(body, y);
  for (int i = 0; i < 5; ++i) rewriter_.AddInput(node, &x);
  EXPECT_EQ(inner.Resolve(), &y);
  rewriter_.TruncateInputs(node, 1);
  EXPECT_EQ(inner.Resolve(), &y);
  EXPECT_EQ(node.captures()[0].index(), 1u);
}

TEST_F(RewriterTest, RemovingABodyAttributeErasesTheBody) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& node = Op(rewriter_, graph_, "If", "if", {&x});
  Graph& then_body = rewriter_.AddBody(node, model_.Intern("then_branch"), false);
  Graph& else_body = rewriter_.AddBody(node, model_.Intern("else_branch"), false);
  Op(rewriter_, then_body, "Relu", "relu", {&rewriter_.Capture(then_body, x)});
  Value& kept = rewriter_.Capture(else_body, x);
  rewriter_.RemoveAttribute(node, "then_branch");
  EXPECT_EQ(node.bodies().size(), 1u);
  EXPECT_EQ(node.captures().size(), 1u);
  EXPECT_EQ(kept.Resolve(), &x);
  rewriter_.SetAttribute(node, "else_branch", int64_t{1});
  EXPECT_EQ(node.captures().size(), 0u);
  EXPECT_EQ(x.use_count(), 1u);
}

TEST_F(RewriterTest, AttributesAreReplacedInPlace) {
  Node& node = Op(rewriter_, graph_, "X", "x", {});
  rewriter_.SetAttribute(node, "a", int64_t{1});
  rewriter_.SetAttribute(node, "b", std::string("t"));
  rewriter_.SetAttribute(node, "a", std::vector<int64_t>{1, 2});
  EXPECT_EQ(model_.Text(node.attributes()[0].name), "a");
  EXPECT_THAT(node.IntsAttribute("a"), ElementsAre(1, 2));
  EXPECT_EQ(node.IntAttribute("a", 9), 9);
  rewriter_.RemoveAttribute(node, "a");
  rewriter_.RemoveAttribute(node, "absent");
  EXPECT_EQ(node.attributes().size(), 1u);
}

TEST_F(RewriterTest, InitializersGoAndDefaultsCanComeBack) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& w = rewriter_.CreateInitializer(graph_, "w", Tensor::Scalar(1.0f));
  rewriter_.SetDefault(x, Tensor::Scalar(2.0f));
  EXPECT_THAT(graph_.initializers(), ElementsAre(&w, &x));
  rewriter_.EraseInitializer(x);
  rewriter_.SetDefault(x, Tensor::Scalar(3.0f));
  EXPECT_THAT(graph_.initializers(), ElementsAre(&w, &x));
  rewriter_.EraseInitializer(w);
  EXPECT_THAT(graph_.initializers(), ElementsAre(&x));
  rewriter_.EraseInitializer(x);
  EXPECT_THAT(graph_.initializers(), ElementsAre());
  EXPECT_EQ(graph_.inputs().size(), 1u);
}

TEST_F(RewriterTest, FrozenInputIsAnInitializer) {
  Value& x = Input(rewriter_, graph_, "x");
  Value& y = Input(rewriter_, graph_, "y");
  rewriter_.SetDefault(x, Tensor::Scalar(2.0f));
  rewriter_.FreezeInput(x);
  EXPECT_EQ(x.kind(), Value::Kind::kInitializer);
  EXPECT_THAT(graph_.inputs(), ElementsAre(&y));
  EXPECT_EQ(y.index(), 0u);
  EXPECT_TRUE(x.ConstantTensor());
}

TEST_F(RewriterTest, OrderSurvivesInsertionAtOnePlace) {
  Value& x = Input(rewriter_, graph_, "x");
  Node& first = Op(rewriter_, graph_, "Relu", "first", {&x});
  Node& last = Op(rewriter_, graph_, "Relu", "last", {&x});
  NodeSpec spec;
  spec.op = "Relu";
  spec.inputs = {&x};
  Node* before = &last;
  for (int i = 0; i < 20000; ++i) {
    // At one place from the left, from the right, at the front and at the end.
    Node& node = rewriter_.CreateNode(graph_,
                                      i % 4 == 3   ? nullptr
                                      : i % 4 == 2 ? &first
                                                   : before,
                                      spec);
    if (i % 4 == 0) before = &node;
  }
  const Node* previous = nullptr;
  for (const Node& node : graph_.nodes()) {
    ASSERT_TRUE(previous == nullptr || previous->IsBefore(node));
    previous = &node;
  }
}

TEST_F(RewriterTest, ConstantsAreSeenThroughIdentityAndCapture) {
  Value& w = rewriter_.CreateInitializer(graph_, "w", Tensor::Scalar(1.5f));
  Node& same = Op(rewriter_, graph_, "Identity", "same", {&w});
  Node& node = Op(rewriter_, graph_, "If", "if", {&w});
  Graph& body = rewriter_.AddBody(node, model_.Intern("then_branch"), false);
  const Value& inner = rewriter_.Capture(body, *same.output());
  EXPECT_EQ(*inner.ConstantTensor().ScalarValue<float>(), 1.5f);
  Node& constant = Op(rewriter_, graph_, "Constant", "c", {});
  EXPECT_FALSE(constant.output()->ConstantTensor());
  rewriter_.SetAttribute(constant, "value_ints", std::vector<int64_t>{4, 5});
  EXPECT_THAT(*constant.output()->ConstantTensor().Values<int64_t>(), ElementsAre(4, 5));
  Value& x = Input(rewriter_, graph_, "x");
  rewriter_.SetDefault(x, Tensor::Scalar(2.0f));
  EXPECT_FALSE(x.ConstantTensor());
}

class Recorder : public RewriteListener {
 public:
  void OnNodeCreated(Node& node) override { Add("created", node); }
  void OnNodeErased(Node& node) override { Add("erased", node); }
  void OnNodeChanged(Node& node) override { Add("changed", node); }
  void OnOperandChanged(Use& use, Value* old) override {
    Add(old == nullptr ? "gained operand" : "swapped operand", *use.user());
  }
  void OnValueChanged(Value& value) override {
    events.push_back("value " + std::string(value.name_text()));
  }
  std::vector<std::string> events;

 private:
  void Add(std::string_view what, const Node& node) {
    events.push_back(fmt::format("{} {}", what, node.name_text()));
  }
};

TEST_F(RewriterTest, ListenersHearOfEveryEdit) {
  Recorder recorder;
  rewriter_.AddListener(&recorder);
  Value& x = Input(rewriter_, graph_, "x");
  Value& y = Input(rewriter_, graph_, "y");
  Node& a = Op(rewriter_, graph_, "Relu", "a", {&x});
  Node& b = Op(rewriter_, graph_, "Relu", "b", {&x});
  rewriter_.SetInput(a, 0, &y);
  rewriter_.SetInput(a, 0, &y);
  rewriter_.AddInput(a, &x);
  rewriter_.TruncateInputs(a, 1);
  rewriter_.Move(b, &a);
  rewriter_.SetOperator(b, "Neg", "");
  rewriter_.SetType(*b.output(), F32(model_, {1}));
  rewriter_.Rename(x, model_.Intern("z"));
  rewriter_.Erase(a);
  EXPECT_THAT(recorder.events, ElementsAre("created a", "created b", "swapped operand a",
                                           "gained operand a", "changed a", "changed b",
                                           "changed b", "value b.out", "value z", "erased a"));
}

}  // namespace
}  // namespace lathe::ir
