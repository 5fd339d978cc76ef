#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder.h"
#include "lathe/ir/verifier.h"

namespace lathe::ir {
namespace {

TEST(Clone, CopiesStructureAndSharesTensors) {
  Model model;
  Rewriter rewriter(model);
  Graph& graph = model.graph();
  Value& x = Input(rewriter, graph, "x");
  Value& w = rewriter.CreateInitializer(graph, "w", Tensor::Scalar(1.0f));
  Node& gone = Op(rewriter, graph, "Relu", "gone", {&x});
  rewriter.AddValueInfo(graph, {gone.output(), {}, gone.output()->type_ref()});
  Node& node = Op(rewriter, graph, "If", "if", {&x, nullptr, &w});
  rewriter.AddValueInfo(graph, {node.output(), {}, F32(model, {5})});
  rewriter.AddValueInfo(graph, {nullptr, model.Intern("stray"), F32(model, {6})});
  Graph& body = rewriter.AddBody(node, model.Intern("then_branch"), false);
  rewriter.SetAttributeDoc(node, model.Intern("then_branch"), model.Intern("the doc"));
  Attribute none;
  none.name = model.Intern("none");
  none.value = std::vector<GraphPtr>();
  rewriter.AddAttribute(node, std::move(none));
  Node& inner = Op(rewriter, body, "Relu", "inner", {&rewriter.Capture(body, w)});
  rewriter.AddGraphOutput(body, inner.output());
  rewriter.SetAnnotation(node.inputs()[0], model.Intern("input note"));
  rewriter.SetAnnotation(node.captures()[0], model.Intern("capture note"));
  rewriter.AddGraphOutput(graph, node.output());
  rewriter.Erase(gone);

  const std::unique_ptr<Model> copy = model.Clone();
  ASSERT_TRUE(VerifyModel(*copy).ok()) << FormatError(VerifyModel(*copy));
  const Node& twin = *copy->graph().first_node();
  EXPECT_EQ(twin.name_text(), "if");
  EXPECT_EQ(twin.input(1), nullptr);
  EXPECT_TRUE(twin.input(2)->tensor().SharesStorageWith(w.tensor()));
  EXPECT_EQ(copy->Text(twin.inputs()[0].annotation()), "input note");
  EXPECT_EQ(copy->Text(twin.captures()[0].annotation()), "capture note");
  EXPECT_EQ(copy->Text(twin.FindAttribute("then_branch")->doc), "the doc");
  EXPECT_NE(twin.FindAttribute("none")->get_if<std::vector<GraphPtr>>(), nullptr);
  const Graph& twin_body = *twin.bodies().at(0);
  EXPECT_EQ(twin_body.first_node()->input(0)->Resolve(), twin.input(2));
  // The entry of the erased value stands for nothing and is not copied.
  ASSERT_EQ(copy->graph().value_info().size(), 2u);
  EXPECT_EQ(copy->graph().value_info()[0].value, twin.output());
  EXPECT_EQ(copy->Text(copy->graph().value_info()[1].name), "stray");
}

TEST(Clone, KeepsStatedTypesOfInitializers) {
  Model model;
  Rewriter rewriter(model);
  Value& w = rewriter.CreateInitializer(model.graph(), "w", Tensor::Scalar(1.0f));
  Type type = w.type();
  type.denotation = "BIAS";
  rewriter.SetType(w, model.Intern(type));
  EXPECT_EQ(model.Clone()->graph().initializers()[0]->type().denotation, "BIAS");
}

TEST(Clone, CopiesFunctions) {
  Model model;
  Rewriter rewriter(model);
  Function& function =
      rewriter.AddFunction(model.Intern("d"), model.Intern("f"), model.Intern("o"));
  Attribute given;
  given.name = model.Intern("beta");
  given.value = 2.0f;
  std::vector<Attribute> defaults;
  defaults.push_back(std::move(given));
  rewriter.SetFunctionInterface(function, {model.Intern("alpha")}, std::move(defaults), {{"", 17}});
  Value& x = Input(rewriter, function.body(), "x");
  rewriter.AddGraphOutput(function.body(), &x);
  const auto copy = model.Clone();
  ASSERT_TRUE(VerifyModel(*copy).ok());
  const Function* twin =
      copy->FindFunction(copy->Intern("d"), copy->Intern("f"), copy->Intern("o"));
  ASSERT_NE(twin, nullptr);
  EXPECT_EQ(copy->Text(twin->attributes().at(0)), "alpha");
  EXPECT_EQ(*twin->attribute_defaults().at(0).get_if<float>(), 2.0f);
  EXPECT_EQ(twin->opset_imports().at(0).version, 17);
  EXPECT_EQ(twin->body().outputs().size(), 1u);
}

}  // namespace
}  // namespace lathe::ir
